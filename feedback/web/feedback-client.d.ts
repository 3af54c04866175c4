/** The core client: submits feedback to presigned URLs and streams runs of an agent server, in browsers and Node.js. */

/** A submission: at least one of the fields. */
export interface Submission {
  /** A number or Boolean; the server checks it against the feedback key. */
  score?: number | boolean | null;
  /** The ends of the score's scale, such as [1, 5], by which a feedback key without a configuration is counted. */
  scale?: readonly [number, number];
  /** A category, an array of categories, or any other JSON value. */
  value?: string | number | boolean | null | readonly (string | number)[] | Record<string, unknown>;
  comment?: string | null;
  correction?: string | Record<string, unknown> | null;
  metadata?: Record<string, unknown> | null;
}

/** The subject. A subject has one feedback for each run and feedback key: another one of the `userId` replaces it. */
export interface Whose {
  userId?: string;
  /** The feedback's id (a UUID), if there is no `userId`. Repeating a submission with the same id changes nothing. */
  id?: string;
}

export interface RequestOptions {
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** The number of retries after a transient failure (no network, 408, 425, 429, 502, 503, 504); default: 3. */
  retries?: number;
  /** The timeout of one attempt; default: 15. */
  timeoutSeconds?: number;
}

export interface SubmitOptions extends Whose, RequestOptions {
  /** A repeated request with the same Idempotency-Key changes nothing. Default: generated, and kept on retries. */
  idempotencyKey?: string;
}

export interface ReadOptions extends Whose, RequestOptions {}

/** The result of a submission. */
export interface SubmissionResult {
  id: string | null;
  status: "created" | "updated" | "unchanged" | "retracted";
  /** Whether the URL can no longer change or retract it. */
  is_final?: boolean;
}

export interface OwnFeedback {
  id: string;
  score: number | boolean | null;
  value: string | number | boolean | Record<string, unknown> | null;
  comment: string | null;
  correction: string | Record<string, unknown> | null;
  created_at: string;
  modified_at: string;
}

export interface FeedbackConfig {
  type: "continuous" | "categorical" | "freeform";
  min?: number;
  max?: number;
  categories?: { value: number; label?: string }[];
  allows_multiple_categories?: boolean;
  subject_policy?: "replace" | "append" | "first";
  title?: string;
  question?: string;
  low_label?: string;
  high_label?: string;
  /** The texts by language, such as `de`; `labels` maps labels of categories to those in the language. */
  translations?: Record<string, KeyTexts>;
}

/** What people read of a feedback key in one language. */
export interface KeyTexts {
  title?: string;
  question?: string;
  low_label?: string;
  high_label?: string;
  labels?: Record<string, string>;
}

/** The state of a presigned URL. */
export interface TokenState {
  key: string;
  expires_at: string;
  feedback_config: FeedbackConfig | null;
  /** The effect of another submission by the same subject. */
  subject_policy: "replace" | "append" | "first";
  feedback: OwnFeedback | null;
}

/**
 * The server rejected the request, or is unreachable.
 *
 * `status` is the HTTP status, 0 without a response; `code` the server's error code, such as `token_expired`;
 * `retryAfter` the seconds until the server accepts a retry. `message` is for people.
 */
export class FeedbackError extends Error {
  constructor(message: string, response?: { status?: number; code?: string; retryAfter?: number; cause?: unknown });
  readonly status: number;
  readonly code: string;
  readonly retryAfter: number | undefined;
}

/** Submits feedback to a presigned URL; resolves once the server has stored it durably. Errors: `FeedbackError`. */
export function submitFeedback(url: string | URL, submission: Submission, options?: SubmitOptions): Promise<SubmissionResult>;

/** Hands a submission to the browser, which sends it even if the page closes; false if the browser rejects it. */
export function beaconFeedback(url: string | URL, submission: Submission, options?: Whose): boolean;

/** Returns a presigned URL's state, with the feedback of `userId` or `id`, if any. Errors: `FeedbackError`. */
export function readFeedback(url: string | URL, options?: ReadOptions): Promise<TokenState>;

/** Retracts feedback; missing feedback is not an error (`unchanged`). Errors: `FeedbackError`. */
export function retractFeedback(url: string | URL, options: ReadOptions): Promise<SubmissionResult>;

/** Returns a generated subject id for this browser, the same in every tab and after a reload. */
export function browserSubject(): string;

/** Returns a random UUID, also on pages without TLS. */
export function newId(): string;

export type StreamMode =
  | "values" | "updates" | "messages" | "messages-tuple" | "custom" | "events" | "debug" | "tasks" | "checkpoints";

/** Presigned URLs, by feedback key. */
export type FeedbackUrls = Record<string, string>;

/** One event of a run. Pass `id` as `lastEventId` to resume. */
export type RunPart =
  | { event: "metadata"; data: { run_id: string; attempt: number; feedback_token?: string }; id?: string }
  | { event: "feedback"; data: FeedbackUrls; id?: string }
  | { event: "error"; data: { error: string; message: string }; id?: string }
  /** Earlier events are no longer stored; the following events contain the state. */
  | { event: "gap"; data: { reason: string }; id?: string }
  | { event: StreamMode | `${StreamMode}|${string}` | `messages/${string}`; data: any; id?: string };

export interface ConnectionOptions {
  /** The agent server's URL, with any prefix; default: the page's origin. */
  url?: string | URL;
  headers?: Record<string, string>;
  credentials?: RequestCredentials;
  /** Stops reading and rejects with the signal's reason; by default the run continues. */
  signal?: AbortSignal;
  /** The maximum number of consecutive reconnections; default: 10. Attempts while offline do not count. */
  reconnects?: number;
  /** Reconnects after this time without a heartbeat (the server sends one every 5 s); default: 30. */
  silenceSeconds?: number;
  /** Called when the connection opens, is lost, and is restored. */
  onConnection?: (state: "open" | "lost") => void;
}

export interface StreamRunOptions extends ConnectionOptions {
  /** A run without a thread stores nothing. */
  threadId?: string;
  assistantId: string;
  input?: unknown;
  command?: unknown;
  /** Default: `values`. */
  streamMode?: StreamMode | StreamMode[];
  feedbackKeys?: string[];
  /** Further fields of the request body: `{ if_not_exists: "create", multitask_strategy: "enqueue" }`. */
  body?: Record<string, unknown>;
}

export interface RunAddress {
  threadId?: string;
  runId: string;
}

export interface JoinRunOptions extends ConnectionOptions, RunAddress {
  /** The id of the last received event; default: start from the first event. */
  lastEventId?: string;
}

export interface RunFeedbackOptions extends RequestOptions, RunAddress {
  url?: string | URL;
  credentials?: RequestCredentials;
  /** Feedback keys instead of the run's own. */
  keys?: string[];
}

/**
 * Starts a run and yields its events to its end, across lost connections. Errors: `FeedbackError`.
 *
 * The request is sent once, but a browser repeats it on its own if a reused connection closes before the first byte of
 * the response. With `body: { multitask_strategy: "reject" }` the server then rejects a second run on the thread (409),
 * and the first is in the list of the thread's runs.
 */
export function streamRun(options: StreamRunOptions): AsyncGenerator<RunPart, void, undefined>;

/** Yields the events of an existing run. Errors: `FeedbackError`. */
export function joinRun(options: JoinRunOptions): AsyncGenerator<RunPart, void, undefined>;

/** Returns a run's feedback and fresh presigned URLs. Errors: `FeedbackError`. */
export function readRunFeedback(options: RunFeedbackOptions): Promise<{ feedback: Record<string, unknown>[]; urls: FeedbackUrls }>;

/** Yields server-sent events from arbitrary chunks of bytes. */
export function events(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ event: string; data: string; id: string | undefined }, void, undefined>;

/** The core client: answers given through presigned URLs, and runs of an agent server streamed, in a browser or Node.js. */

/** What somebody says of an answer: at least one of the fields. */
export interface Answer {
  /** A number, or true or false; what the key takes is for the server to check. */
  score?: number | boolean | null;
  /** A category, several as an array, or anything else that JSON has. */
  value?: string | number | boolean | null | readonly (string | number)[] | Record<string, unknown>;
  comment?: string | null;
  correction?: string | Record<string, unknown> | null;
  metadata?: Record<string, unknown> | null;
}

/** Whose answer it is. A person has one answer for each run and key: a second one of the same `userId` replaces it. */
export interface Whose {
  userId?: string;
  /** The answer's own id (a UUID), where there is no `userId`. Sent again with the same id, an answer changes nothing. */
  id?: string;
}

export interface RequestOptions {
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** How often to try again after a failure that passes (no network, 408, 425, 429, 502, 503, 504); 3 if left out. */
  retries?: number;
  /** How long one try may take; 15 if left out. */
  timeoutSeconds?: number;
}

export interface SubmitOptions extends Whose, RequestOptions {
  /** Repeated with the same key, a request changes nothing; made up if left out, and the same on every retry. */
  idempotencyKey?: string;
}

export interface ReadOptions extends Whose, RequestOptions {}

/** What became of an answer. */
export interface Kept {
  id: string | null;
  status: "created" | "updated" | "unchanged" | "retracted";
  /** Whether it can no more be changed or taken back through the URL. */
  is_final?: boolean;
}

export interface OwnAnswer {
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
}

/** What a presigned URL is for. */
export interface TokenState {
  key: string;
  expires_at: string;
  feedback_config: FeedbackConfig | null;
  /** What a second answer of the same user does. */
  subject_policy: "replace" | "append" | "first";
  answer: OwnAnswer | null;
}

/**
 * The server said no, or could not be reached.
 *
 * `status` is the HTTP status, 0 where no answer came; `code` the server's word for programs, such as `token_expired`;
 * `retryAfter` the seconds after which the server wants to be asked again. `message` is for people.
 */
export class FeedbackError extends Error {
  constructor(message: string, told?: { status?: number; code?: string; retryAfter?: number; cause?: unknown });
  readonly status: number;
  readonly code: string;
  readonly retryAfter: number | undefined;
}

/** Keeps an answer through a presigned URL; resolves once it is on the server's disk. Errors: `FeedbackError`. */
export function submitFeedback(url: string | URL, answer: Answer, options?: SubmitOptions): Promise<Kept>;

/** Hands an answer to the browser for when the page is being left; false where it would not take it. */
export function beaconFeedback(url: string | URL, answer: Answer, options?: Whose): boolean;

/** What a presigned URL is for, and the answer of `userId`, or with `id`, if there is one. Errors: `FeedbackError`. */
export function readFeedback(url: string | URL, options?: ReadOptions): Promise<TokenState>;

/** Takes an answer back; that there is none is no error (`unchanged`). Errors: `FeedbackError`. */
export function retractFeedback(url: string | URL, options: ReadOptions): Promise<Kept>;

/** A made-up name for whoever uses this browser, the same in every tab and after a reload. */
export function browserSubject(): string;

/** A random UUID, also on pages without TLS. */
export function newId(): string;

export type StreamMode =
  | "values" | "updates" | "messages" | "messages-tuple" | "custom" | "events" | "debug" | "tasks" | "checkpoints";

/** Presigned URLs, by feedback key. */
export type FeedbackUrls = Record<string, string>;

/** One event of a run. `id` is what `lastEventId` takes. */
export type RunPart =
  | { event: "metadata"; data: { run_id: string; attempt: number; feedback_token?: string }; id?: string }
  | { event: "feedback"; data: FeedbackUrls; id?: string }
  | { event: "error"; data: { error: string; message: string }; id?: string }
  /** Events before this one are no longer kept; what follows tells the state. */
  | { event: "gap"; data: { reason: string }; id?: string }
  | { event: StreamMode | `${StreamMode}|${string}` | `messages/${string}`; data: any; id?: string };

export interface ConnectionOptions {
  /** The agent server's address, with any prefix; that of the page if left out. */
  url?: string | URL;
  headers?: Record<string, string>;
  credentials?: RequestCredentials;
  /** Stops reading, and rejects with the signal's reason; the run goes on unless it was started otherwise. */
  signal?: AbortSignal;
  /** How often in a row to connect again before giving up; 10 if left out. An offline device's tries do not count. */
  reconnects?: number;
  /** After so long without even a heartbeat (the server sends one every 5 s) to connect again; 30 if left out. */
  silenceSeconds?: number;
  /** Told when events begin to come, when their connection is lost, and when it is there again. */
  onConnection?: (state: "open" | "lost") => void;
}

export interface StreamRunOptions extends ConnectionOptions {
  /** A run without a thread keeps nothing. */
  threadId?: string;
  assistantId: string;
  input?: unknown;
  command?: unknown;
  /** `values` if left out. */
  streamMode?: StreamMode | StreamMode[];
  feedbackKeys?: string[];
  /** Further fields of the request, as on the wire: `{ if_not_exists: "create", multitask_strategy: "enqueue" }`. */
  body?: Record<string, unknown>;
}

export interface RunAddress {
  threadId?: string;
  runId: string;
}

export interface JoinRunOptions extends ConnectionOptions, RunAddress {
  /** The id of the last event that came; all of them again if left out. */
  lastEventId?: string;
}

export interface RunFeedbackOptions extends RequestOptions, RunAddress {
  url?: string | URL;
  credentials?: RequestCredentials;
  /** Other feedback keys than the run's own. */
  keys?: string[];
}

/**
 * Starts a run and yields its events to its end, across lost connections. Errors: `FeedbackError`.
 *
 * The request is sent once; but a browser sends it again, on its own, where a connection that it had before ends without
 * a byte of an answer. With `body: { multitask_strategy: "reject" }` the server refuses a second run on the thread then
 * (409), and the first is to be found among the thread's runs.
 */
export function streamRun(options: StreamRunOptions): AsyncGenerator<RunPart, void, undefined>;

/** Yields the events of a run that was started before. Errors: `FeedbackError`. */
export function joinRun(options: JoinRunOptions): AsyncGenerator<RunPart, void, undefined>;

/** The answers about a run so far, and fresh presigned URLs. Errors: `FeedbackError`. */
export function readRunFeedback(options: RunFeedbackOptions): Promise<{ answers: Record<string, unknown>[]; urls: FeedbackUrls }>;

/** Server-sent events from chunks of bytes, however these are cut. */
export function events(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ event: string; data: string; id: string | undefined }, void, undefined>;

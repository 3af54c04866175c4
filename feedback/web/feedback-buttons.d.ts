/** <feedback-buttons>: thumbs, stars or categories, bound to presigned feedback URLs. */

import type { Submission, FeedbackError, SubmissionResult } from "./feedback-client.js";

/** The selection: a thumb, a number of stars, a category or, if the feedback key allows several, a list of them. */
export type Choice = "positive" | "negative" | number | string | string[];

export interface ShownFeedback {
  choice: Choice;
  comment: string;
  reasons: string[];
}

/** The attributes in HTML and JSX. */
export interface FeedbackButtonsAttributes {
  /** The URL of all submissions: thumbs as score 1 and 0, stars as score 1 to 5, a category as value. */
  src?: string;
  /** The URLs of thumbs with a feedback key each: the pressed one gets score 1, the other's feedback is retracted. */
  "positive-src"?: string;
  "negative-src"?: string;
  /** Instead of `src`: a run's token (`X-Feedback-Token`, WorkflowAI's `feedback_token`), which accepts thumbs. */
  "feedback-token"?: string;
  /** The URL of the token's feedback server; default: the server of this file. */
  server?: string;
  /** Default: `thumbs`. */
  type?: "thumbs" | "stars" | "categories";
  /** The choices: comma-separated, or a JSON array. Default: the categories of the URL's feedback key. */
  categories?: string;
  /** When to ask for a comment. Default: `negative` (a thumb down, two stars or fewer). */
  comment?: "never" | "negative" | "always";
  /** The reasons offered after negative feedback: comma-separated, or a JSON array. Stored as `metadata.reasons`. */
  reasons?: string;
  /** The subject; default: a generated id for this browser. */
  "user-id"?: string;
  /** The language of the texts: `en`, `de`, `fr`, `es`, `ja`. Default: the closest ancestor's; others get English. */
  lang?: string;
  /** The screen reader labels of the group and its thumbs. */
  label?: string;
  "positive-label"?: string;
  "negative-label"?: string;
  disabled?: boolean;
}

/** The texts that are shown or read aloud, in the language of the closest `lang` unless they are set. */
export interface Texts {
  label: string;
  positive: string;
  negative: string;
  stars: [string, string, string, string, string];
  reasons: string;
  comment: string;
  send: string;
  close: string;
  open: string;
  edit: string;
  resume: string;
  draft: string;
  thanks: string;
  commented: string;
  retracted: string;
  expired: string;
  failed: string;
  /** What explains a failure: no connection, too many submissions, a final first feedback, an unknown URL, … */
  offline: string;
  busy: string;
  final: string;
  unknown: string;
  refused: string;
  broken: string;
}

/** Fires before each request. A listener may change `submission`, or cancel the request with `preventDefault()`. */
export type FeedbackSubmitEvent = CustomEvent<
  { action: "submit"; src: string; submission: Submission } | { action: "retract"; src: string; submission?: undefined }
>;

/** Fires after the server has stored or retracted the feedback. */
export type FeedbackSuccessEvent = CustomEvent<{ action: "submit" | "retract"; submission?: Submission; result: SubmissionResult }>;

/**
 * Fires on an error; the buttons then show the server's state.
 *
 * `error.code` is `token_expired` for an expired URL for which `refresh` has no fresh one.
 */
export type FeedbackErrorEvent = CustomEvent<{ action: "submit" | "retract" | "restore"; submission?: Submission; error: FeedbackError }>;

export interface FeedbackButtonsEventMap {
  "feedback-submit": FeedbackSubmitEvent;
  "feedback-success": FeedbackSuccessEvent;
  "feedback-error": FeedbackErrorEvent;
}

export class FeedbackButtons extends HTMLElement {
  src: string;
  positiveSrc: string;
  negativeSrc: string;
  feedbackToken: string;
  server: string;
  type: string;
  comment: string;
  userId: string;
  label: string;
  positiveLabel: string;
  negativeLabel: string;
  disabled: boolean;
  get reasons(): string[];
  set reasons(reasons: string | readonly string[] | null | undefined);
  get categories(): string[];
  set categories(categories: string | readonly string[] | null | undefined);
  get texts(): Texts;
  set texts(texts: Partial<Texts>);
  /** The shown feedback; null if there is none. */
  readonly feedback: ShownFeedback | null;
  /**
   * Returns a fresh URL, or fresh URLs, once the present ones have expired. The element then sends what the expired URL
   * did not take. Without it, the element shows that the link has expired.
   */
  refresh?: () => Promise<string | { src?: string; positiveSrc?: string; negativeSrc?: string }>;
  /** Reloads the feedback from the server. Errors: `FeedbackError`. */
  restore(): Promise<void>;
  addEventListener<K extends keyof FeedbackButtonsEventMap>(
    type: K,
    listener: (this: FeedbackButtons, event: FeedbackButtonsEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof FeedbackButtonsEventMap>(
    type: K,
    listener: (this: FeedbackButtons, event: FeedbackButtonsEventMap[K]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | EventListenerOptions): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "feedback-buttons": FeedbackButtons;
  }
  interface HTMLElementEventMap extends FeedbackButtonsEventMap {}
}

/** <feedback-buttons>: thumbs, stars or categories, bound to presigned feedback URLs. */

import type { Answer, FeedbackError, Kept } from "./feedback-client.js";

/** What is pressed: a thumb, a number of stars, a category or, where the key takes several, their list. */
export type Choice = "positive" | "negative" | number | string | string[];

export interface ShownAnswer {
  choice: Choice;
  comment: string;
  reasons: string[];
}

/** The attributes, as they are written in HTML and in JSX. */
export interface FeedbackButtonsAttributes {
  /** The URL that every answer goes to: thumbs as score 1 and 0, stars as score 1 to 5, a category as value. */
  src?: string;
  /** The URLs of thumbs with a key each: the one that is pressed gets score 1, and the other's answer is taken back. */
  "positive-src"?: string;
  "negative-src"?: string;
  /** In place of `src`: the token of a run (`X-Feedback-Token`, WorkflowAI's `feedback_token`), which takes thumbs. */
  "feedback-token"?: string;
  /** The address of the feedback server that the token is for; if left out, the one that served the element. */
  server?: string;
  /** `thumbs` if left out. */
  type?: "thumbs" | "stars" | "categories";
  /** What to choose from: separated by commas, or a JSON array. If left out, what the URL's key takes. */
  categories?: string;
  /** When to ask for a comment: `negative` (a thumb down, two stars or fewer) if left out. */
  comment?: "never" | "negative" | "always";
  /** Reasons to choose from after a negative answer: separated by commas, or a JSON array. Kept as `metadata.reasons`. */
  reasons?: string;
  /** Who answers; if left out, a name made up for this browser. */
  "user-id"?: string;
  /** What the group is called for screen readers, and its thumbs. */
  label?: string;
  "positive-label"?: string;
  "negative-label"?: string;
  disabled?: boolean;
}

/** The words that are shown or spoken. */
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
  thanks: string;
  commented: string;
  retracted: string;
  failed: string;
}

/** Before anything is sent. A listener may change `answer`, or prevent the sending with `preventDefault()`. */
export type FeedbackSubmitEvent = CustomEvent<
  { action: "submit"; src: string; answer: Answer } | { action: "retract"; src: string; answer?: undefined }
>;

/** Once the server has kept it, or taken it back. */
export type FeedbackSuccessEvent = CustomEvent<{ action: "submit" | "retract"; answer?: Answer; result: Kept }>;

/**
 * Where something failed; the buttons show what the server has.
 *
 * `error.code` is `token_expired` where the URL is too old: bind the element to fresh ones (`readRunFeedback`).
 */
export type FeedbackErrorEvent = CustomEvent<{ action: "submit" | "retract" | "restore"; answer?: Answer; error: FeedbackError }>;

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
  /** The answer as it is shown; null where there is none. */
  readonly answer: ShownAnswer | null;
  /** Reads the earlier answer from the server again. Errors: `FeedbackError`. */
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

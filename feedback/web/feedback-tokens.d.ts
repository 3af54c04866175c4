/** Feedback through a run's token, WorkflowAI's way (`POST /v1/feedback`), with the calls of feedback-client.js. */

import type { Submission, FeedbackConfig, SubmissionResult, OwnFeedback, ReadOptions, SubmitOptions } from "./feedback-client.js";

/**
 * Returns the source of a run's token: a URL for the functions of this module, and for the `src` of
 * `<feedback-buttons>`. `server` is the address of the feedback server, by default the one that served this file.
 */
export function tokenSource(token: string, server?: string): string;

/** Submits feedback to a source or a presigned URL; a run's token accepts a thumb (`score` 1 or 0) and a comment. */
export function submitFeedback(source: string | URL, submission: Submission, options?: SubmitOptions): Promise<Partial<SubmissionResult>>;

/** Hands feedback to the browser, which sends it even if the page closes. Returns false if the browser rejects it. */
export function beaconFeedback(source: string | URL, submission: Submission, options?: SubmitOptions): boolean;

/** Returns the user's feedback. */
export function readFeedback(
  source: string | URL,
  options?: ReadOptions,
): Promise<{ feedback_config: FeedbackConfig | null; feedback: Partial<OwnFeedback> | null }>;

/** Retracts the user's feedback; missing feedback is not an error. */
export function retractFeedback(source: string | URL, options?: ReadOptions): Promise<Partial<SubmissionResult>>;

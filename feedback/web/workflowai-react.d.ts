/** WorkflowAI's React package (`@workflowai/react`, removed from npm) for this server. React is a peer dependency. */

import type { ReactElement } from "react";

export interface FeedbackButtonsProps {
  /** The token that came with the run: `feedback_token`, `feedbackToken`. */
  feedbackToken: string;
  /** The user; default: a generated id for this browser. */
  userID?: string;
  className?: string;
  /** The URL of the feedback server; default: the server of this file. */
  server?: string;
}

export function FeedbackButtons(props: FeedbackButtonsProps): ReactElement;

export interface FeedbackTarget {
  feedbackToken: string;
  /** The user; without it the feedback is anonymous: one for each run. */
  userID?: string;
  /** The URL of the feedback server; default: the server of this file. */
  server?: string;
}

/** Stores one outcome for the token and the user, replacing an earlier one. Errors: `FeedbackError`. */
export function sendFeedback(feedback: FeedbackTarget & { outcome: "positive" | "negative"; comment?: string }): Promise<void>;

/** Returns the outcome of the user (or the anonymous one). Errors: `FeedbackError`. */
export function getFeedback(target: FeedbackTarget): Promise<"positive" | "negative" | null>;

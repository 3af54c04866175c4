/** WorkflowAI's React package (`@workflowai/react`, gone from npm) for this server. React is a peer: bring your own. */

import type { ReactElement } from "react";

export interface FeedbackButtonsProps {
  /** The token that came with the run: `feedback_token`, `feedbackToken`. */
  feedbackToken: string;
  /** The user; if left out, a name made up for this browser. */
  userID?: string;
  className?: string;
  /** The address of the feedback server; if left out, the one that served this file. */
  server?: string;
}

export function FeedbackButtons(props: FeedbackButtonsProps): ReactElement;

export interface FeedbackTarget {
  feedbackToken: string;
  /** The user; if left out, the feedback is anonymous: one piece for each run. */
  userID?: string;
  /** The address of the feedback server; if left out, the one that served this file. */
  server?: string;
}

/** Stores one outcome for the token and the user, in the place of an earlier one. Errors: `FeedbackError`. */
export function sendFeedback(feedback: FeedbackTarget & { outcome: "positive" | "negative"; comment?: string }): Promise<void>;

/** Returns the outcome of the user (or the anonymous one). Errors: `FeedbackError`. */
export function getFeedback(target: FeedbackTarget): Promise<"positive" | "negative" | null>;

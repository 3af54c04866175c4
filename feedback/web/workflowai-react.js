/**
 * WorkflowAI's React package (`@workflowai/react`, removed from npm) for this server. React is a peer dependency.
 *
 *   import { FeedbackButtons } from "./workflowai-react.js";
 *   <FeedbackButtons feedbackToken={token} userID="ada" className="thumbs" />
 *
 * The types are in workflowai-react.d.ts.
 */

import { createElement } from "react";
import "./feedback-buttons.js";
import { FeedbackError } from "./feedback-client.js";
import { readFeedback, submitFeedback, tokenSource } from "./feedback-tokens.js";

/** Thumbs up and down for the run that the token belongs to. `server` is required if a bundler moves this file. */
export function FeedbackButtons({ feedbackToken, userID, className, server, ...others }) {
  return createElement("feedback-buttons", {
    ...others, src: tokenSource(feedbackToken, server), "user-id": userID, class: className,
  });
}

/** Stores one outcome, `positive` or `negative`, for the token and the user. */
export async function sendFeedback({ feedbackToken, outcome, comment, userID, server }) {
  if (outcome !== "positive" && outcome !== "negative") {
    throw new FeedbackError(`outcome is ${JSON.stringify(outcome)}; it must be "positive" or "negative"`, { status: 400, code: "invalid" });
  }
  const score = outcome === "positive" ? 1 : 0;
  await submitFeedback(tokenSource(feedbackToken, server), { score, comment }, { userId: userID });
}

/** Returns the outcome of the user (or the anonymous one): `positive`, `negative`, or null. */
export async function getFeedback({ feedbackToken, userID, server }) {
  const { feedback } = await readFeedback(tokenSource(feedbackToken, server), { userId: userID });
  return feedback && feedback.value;
}

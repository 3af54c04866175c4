/**
 * Feedback through a run's token, WorkflowAI's way (`POST /v1/feedback`), with the calls of feedback-client.js.
 *
 *   const source = tokenSource(feedbackToken, "https://agents.example");
 *   await submitFeedback(source, { score: 1 }, { userId: "ada" });
 *
 * A source is a URL whose fragment holds the token, so that code for presigned URLs also works with tokens. Presigned
 * URLs pass through unchanged. The types are in feedback-tokens.d.ts.
 */

import * as presigned from "./feedback-client.js";

const TOKEN = "#feedback_token=";
const PATH = "v1/feedback";

/** Returns the source of a run's token; `server` is the feedback server's URL; default: the server of this file. */
export function tokenSource(token, server = new URL("..", import.meta.url).href) {
  const base = server.endsWith("/") ? server : `${server}/`;
  return `${new URL(PATH, base).href}${TOKEN}${encodeURIComponent(token)}`;
}

/** Stores a thumb, `score` 1 or 0, and a comment; one for each token and user. */
export async function submitFeedback(source, submission, options = {}) {
  const found = opened(source);
  if (!found) return presigned.submitFeedback(source, submission, options);
  const kept = await presigned.submitFeedback(found.address, outcomeOf(found.token, submission), identityOf(options));
  return { id: kept.id, status: "created" };
}

/** Hands a thumb to the browser, which sends it even if the page closes. Returns false if the browser rejects it. */
export function beaconFeedback(source, submission, options = {}) {
  const found = opened(source);
  if (!found) return presigned.beaconFeedback(source, submission, options);
  const body = JSON.stringify({ ...outcomeOf(found.token, submission), user_id: options.userId });
  fetch(found.address, {
    method: "POST", body, keepalive: true, credentials: "omit", headers: { "Content-Type": "application/json" },
  }).catch(() => {}); // the page has closed; the next load shows the stored state
  return true;
}

/** Returns the user's feedback, in the shape of `readFeedback` of presigned URLs. */
export async function readFeedback(source, options = {}) {
  const found = opened(source);
  if (!found) return presigned.readFeedback(source, options);
  const { outcome } = await presigned.readFeedback(withToken(found), identityOf(options));
  const own = outcome && { score: outcome === "positive" ? 1 : 0, value: outcome, comment: null, metadata: null, modified_at: "" };
  return { feedback_config: null, feedback: own || null };
}

/** Retracts the user's feedback; missing feedback is not an error. */
export async function retractFeedback(source, options = {}) {
  const found = opened(source);
  if (!found) return presigned.retractFeedback(source, options);
  await presigned.retractFeedback(withToken(found), identityOf(options));
  return { id: null, status: "retracted" };
}

function opened(source) {
  const [address, token] = String(source).split(TOKEN);
  return token && { address, token: decodeURIComponent(token) };
}

function withToken({ address, token }) {
  const url = new URL(address);
  url.searchParams.set("feedback_token", token);
  return url.href;
}

/** Puts the reasons before the comment: an outcome has no list of reasons. */
function outcomeOf(token, { score, comment, metadata }) {
  const text = [metadata?.reasons?.join(", "), comment].filter(Boolean).join("\n");
  return { feedback_token: token, outcome: Number(score) > 0 ? "positive" : "negative", comment: text || undefined };
}

/** A run's token supports user ids, but no feedback ids. */
function identityOf({ id, ...options }) {
  return options;
}

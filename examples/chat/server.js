/** The page's requests to the agent server, with the API key, which is stored for this tab only. */

const APP = { app: "chat-example" };
const SHELF = "agent-api-key";

/** A failed request and its reason. `status` is 0 if the server is unreachable. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Whether a different API key might help. */
export const isAboutKey = ({ status }) => status === 401 || status === 403;

/** The API key in use, if there is one. */
export const key = () => sessionStorage.getItem(SHELF);

/** Sets the API key, or removes it. */
export function useKey(text) {
  if (text) sessionStorage.setItem(SHELF, text);
  else sessionStorage.removeItem(SHELF);
}

/** Returns the headers with the API key. */
export const keyHeaders = () => (key() ? { "x-api-key": key() } : {});

/** Resolves to the JSON response. Errors: `Refusal` with the server's message, or if the server is unreachable. */
export async function request(method, path, body) {
  let response;
  try {
    const headers = body === undefined ? keyHeaders() : { ...keyHeaders(), "Content-Type": "application/json" };
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
  } catch {
    throw new Refusal(0, "The server could not be reached. Is it running?");
  }
  const text = await response.text();
  if (response.ok) return text ? JSON.parse(text) : null;
  throw new Refusal(response.status, detailOf(text) ?? `The server responded with status ${response.status}.`);
}

function detailOf(text) {
  try {
    const { detail } = JSON.parse(text);
    return typeof detail === "string" ? detail : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the page's conversations, most recently active first. */
export function conversations(limit) {
  const select = ["thread_id", "metadata", "status"];
  return request("POST", "/threads/search", { metadata: APP, sort_by: "updated_at", sort_order: "desc", limit, select });
}

/** Creates a conversation. */
export function begin(title) {
  return request("POST", "/threads", { metadata: { ...APP, title } });
}

/** Returns a conversation's runs, newest first. */
export function runsOf(threadId, limit, offset = 0) {
  const select = ["run_id", "status", "kwargs", "metadata"].map((field) => `&select=${field}`).join("");
  return request("GET", `/threads/${threadId}/runs?limit=${limit}&offset=${offset}${select}`);
}

/** Returns all messages of a conversation. */
export async function messagesOf(threadId) {
  const state = await request("GET", `/threads/${threadId}/state`);
  return state.values?.messages ?? [];
}

/** Returns the run of this question, if the server has started one. */
export async function runFor(threadId, questionId) {
  const runs = await runsOf(threadId, 5);
  return runs.find(({ metadata }) => metadata?.question === questionId)?.run_id;
}

/** Cancels a run; its text so far stays on the page. */
export function cancel(threadId, runId) {
  return request("POST", `/threads/${threadId}/runs/${runId}/cancel?action=interrupt`);
}

/** Deletes a conversation and cancels its runs. */
export async function remove(threadId) {
  const runs = await runsOf(threadId, 100);
  const working = runs.filter(({ status }) => status === "pending" || status === "running");
  const ended = working.map(({ run_id }) => request("POST", `/threads/${threadId}/runs/${run_id}/cancel?action=interrupt&wait=true`));
  await Promise.allSettled(ended);
  await request("DELETE", `/threads/${threadId}`);
}

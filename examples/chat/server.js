/** What the page asks of the agent server, each in one request. */

const APP = { app: "chat-example" };

/** The JSON that the server answers with; an `Error` in the server's words where it refuses, or cannot be reached. */
export async function ask(method, path, body) {
  let answer;
  try {
    const headers = body === undefined ? {} : { "Content-Type": "application/json" };
    answer = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
  } catch {
    throw new Error("The server could not be reached. Is it running?");
  }
  const text = await answer.text();
  if (answer.ok) return text ? JSON.parse(text) : null;
  throw new Error(detailOf(text) ?? `The server answered with status ${answer.status}.`);
}

function detailOf(text) {
  try {
    const { detail } = JSON.parse(text);
    return typeof detail === "string" ? detail : undefined;
  } catch {
    return undefined;
  }
}

/** The page's conversations, the one that something happened in last first. */
export function conversations() {
  const select = ["thread_id", "metadata", "status"];
  return ask("POST", "/threads/search", { metadata: APP, sort_by: "updated_at", sort_order: "desc", limit: 50, select });
}

/** A new conversation. */
export function begin(title) {
  return ask("POST", "/threads", { metadata: { ...APP, title } });
}

/** Its runs, the oldest first, and its messages: read after the runs, so that what has ended has its answer there. */
export async function contents(threadId) {
  const runs = await ask("GET", `/threads/${threadId}/runs?limit=100`);
  const state = await ask("GET", `/threads/${threadId}/state`);
  return { runs: runs.reverse(), messages: state.values?.messages ?? [] };
}

/** Ends a run; what it has said so far stays on the page. */
export function cancel(threadId, runId) {
  return ask("POST", `/threads/${threadId}/runs/${runId}/cancel?action=interrupt`);
}

/** Deletes a conversation, and ends whatever works on it. */
export async function remove(threadId) {
  const runs = await ask("GET", `/threads/${threadId}/runs?limit=100`);
  const working = runs.filter(({ status }) => status === "pending" || status === "running");
  const ended = working.map(({ run_id }) => ask("POST", `/threads/${threadId}/runs/${run_id}/cancel?action=interrupt&wait=true`));
  await Promise.allSettled(ended);
  await ask("DELETE", `/threads/${threadId}`);
}

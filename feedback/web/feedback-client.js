/**
 * Streams runs and submits feedback from a page, without dependencies or a build step.
 *
 *   import { streamRun, submitFeedback } from "https://agents.example/feedback/feedback-client.js";
 *
 *   for await (const part of streamRun({ url, threadId, assistantId: "agent", input, feedbackKeys: ["user_score"] })) {
 *     if (part.event === "feedback") await submitFeedback(part.data.user_score, { score: 1 });
 *   }
 *
 * The types and all options are in feedback-client.d.ts.
 */

const RETRIED = new Set([0, 408, 425, 429, 502, 503, 504]); // 0: no response
const LONGEST_PAUSE = 30; // seconds; a longer `Retry-After` is an error, and the caller decides
const KEEPALIVE_BYTES = 60_000; // browsers send at most 64 KiB after their page has closed
const SUBJECT = "feedback-subject";
const NO_EVENT = "An event of the stream is not JSON; is this the URL of an agent server?";
let subjectOfPage;

/** The server's error (`status`, `code`), or an unreachable server (`status` 0). */
export class FeedbackError extends Error {
  constructor(message, { status = 0, code = "unreachable", retryAfter, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "FeedbackError";
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** Submits feedback to a presigned URL; resolves once the server has stored it durably. */
export async function submitFeedback(url, submission, options = {}) {
  const body = bodyOf(submission, options);
  const headers = {
    "Content-Type": "application/json",
    "Idempotency-Key": options.idempotencyKey ?? newId(),
    ...options.headers,
  };
  return json(await persistently(url, { method: "POST", body, headers, keepalive: isSmall(body) }, options));
}

/** Hands a submission to the browser, which sends it even if the page closes. False if the browser rejects it. */
export function beaconFeedback(url, submission, options = {}) {
  const body = bodyOf(submission, options);
  // Plain text needs no preflight; the page may close before the response to a JSON beacon's preflight.
  return navigator.sendBeacon(String(url), new Blob([body], { type: "text/plain;charset=UTF-8" }));
}

/** Returns a presigned URL's state, with the feedback of `userId` or `id`, if there is any. */
export async function readFeedback(url, options = {}) {
  const address = withQuery(url, { format: "json", ...whose(options) });
  return json(await persistently(address, { method: "GET", headers: options.headers, cache: "no-store" }, options));
}

/** Retracts the feedback of `userId` or `id`; missing feedback is not an error (`unchanged`). */
export async function retractFeedback(url, options = {}) {
  const gone = withQuery(url, whose(options));
  try {
    return await json(await persistently(gone, { method: "DELETE", headers: options.headers, keepalive: true }, options));
  } catch (error) {
    if (error instanceof FeedbackError && error.code === "not_found") return { id: null, status: "unchanged" };
    throw error;
  }
}

/** Returns a generated subject id from the browser's storage: the same in every tab and after a reload. */
export function browserSubject() {
  try {
    subjectOfPage ??= localStorage.getItem(SUBJECT) ?? `anonymous-${newId()}`;
    localStorage.setItem(SUBJECT, subjectOfPage);
  } catch {
    subjectOfPage ??= `anonymous-${newId()}`; // no storage: the same until the page closes
  }
  return subjectOfPage;
}

/** Starts a run and yields its events to its end, across lost connections; the `feedback` event is the last. */
export async function* streamRun(options) {
  const base = baseOf(options.url);
  const thread = options.threadId ? `/threads/${encodeURIComponent(options.threadId)}` : "";
  const body = JSON.stringify({
    assistant_id: options.assistantId,
    input: options.input,
    command: options.command,
    stream_mode: options.streamMode ?? "values",
    feedback_keys: options.feedbackKeys,
    stream_resumable: true, // makes the official server number its events
    ...options.body,
  });
  const headers = { "Content-Type": "application/json", ...options.headers };
  const first = { method: "POST", body, headers };
  yield* followed(base, `${base}${thread}/runs/stream`, first, options);
}

/** Yields the events of an existing run, from the first or after `lastEventId`. */
export async function* joinRun(options) {
  const base = baseOf(options.url);
  const address = `${base}${pathOfRun(options)}/stream`;
  const first = { method: "GET", headers: resuming(options.headers, options.lastEventId) };
  yield* followed(base, address, first, options, options.lastEventId);
}

/** Returns a run's feedback and fresh presigned URLs for its feedback keys, or for `keys`. */
export async function readRunFeedback(options) {
  const address = new URL(`${baseOf(options.url)}${pathOfRun(options)}/feedback`);
  for (const key of options.keys ?? []) address.searchParams.append("keys", key);
  const request = { method: "GET", headers: options.headers, credentials: options.credentials, cache: "no-store" };
  return json(await persistently(address.href, request, options));
}

/**
 * Yields the events of one run across reconnections.
 *
 * The server closes a stream cleanly only when the run has ended, so an interrupted stream is resumed after the last
 * complete event. This function never repeats a request that starts a run: it might start two.
 */
async function* followed(base, address, first, options, lastEventId) {
  const { signal, headers, reconnects = 10 } = options;
  let request = first;
  let isStarted = first.method === "GET";
  let failures = 0;
  for (;;) {
    const connection = connected(signal, options.silenceSeconds ?? 30);
    try {
      const response = await connection.fetch(address, { ...request, credentials: options.credentials });
      address = placeOf(base, response) ?? address;
      isStarted = true;
      options.onConnection?.("open");
      for await (const part of events(connection.chunks(response))) {
        signal?.throwIfAborted();
        failures = 0;
        if (part.id) lastEventId = part.id;
        if (part.event === "end") return;
        yield { event: part.event, data: parsed(part.data, 200, NO_EVENT), id: part.id };
      }
      return;
    } catch (error) {
      signal?.throwIfAborted();
      failures += 1;
      if (!isStarted || !isPassing(error) || failures > reconnects) throw asFeedbackError(error);
      options.onConnection?.("lost");
      await pause(Math.min(LONGEST_PAUSE, error.retryAfter ?? Math.min(5, 0.25 * 2 ** failures)), signal, true);
      request = { method: "GET", headers: resuming(headers, lastEventId) };
    } finally {
      connection.close();
    }
  }
}

/** Reads one connection until `signal` aborts or the server's heartbeats stop. */
function connected(signal, silenceSeconds) {
  const own = new AbortController();
  const stop = () => own.abort(signal.reason);
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop);
  let timer, isWhole = false;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => own.abort(new FeedbackError("The server has gone silent")), silenceSeconds * 1000);
  };
  return {
    async fetch(address, request) {
      alive();
      const response = await fetch(address, { ...request, signal: own.signal, cache: "no-store" });
      if (!response.ok) throw await failureOf(response);
      return response;
    },
    async *chunks(response) {
      const reader = response.body.getReader();
      for (;;) {
        alive();
        const { done, value } = await reader.read();
        if (done) break;
        yield value;
      }
      isWhole = true;
    },
    async text(response) {
      const text = await response.text();
      isWhole = true;
      return text;
    },
    close() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      if (!isWhole) own.abort();
    },
  };
}

/** Yields complete server-sent events from arbitrary chunks of bytes (HTML standard, section 9.2.6). */
export async function* events(chunks) {
  let event = "", id, data = [];
  for await (const line of lines(chunks)) {
    if (line === "") {
      if (data.length > 0) yield { event: event || "message", data: data.join("\n"), id };
      [event, id, data] = ["", undefined, []];
      continue;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "data") data.push(value);
    else if (field === "event") event = value;
    else if (field === "id" && !value.includes("\0")) id = value;
  }
}

async function* lines(chunks) {
  const decoder = new TextDecoder();
  let begun = "", afterReturn = false;
  for await (const chunk of chunks) {
    let text = decoder.decode(chunk, { stream: true });
    if (text === "") continue;
    if (afterReturn && text.startsWith("\n")) text = text.slice(1);
    afterReturn = text === "" ? false : text.endsWith("\r");
    const whole = text.split(/\r\n|\r|\n/);
    whole[0] = begun + whole[0];
    begun = whole.pop();
    yield* whole;
  }
}

/** Returns the response to a repeatable request; retries transient failures up to `retries` times. */
async function persistently(url, request, { signal, retries = 3, timeoutSeconds = 15 }) {
  for (let tries = 0; ; tries += 1) {
    const connection = connected(signal, timeoutSeconds);
    try {
      const response = await connection.fetch(url, {
        credentials: "omit", referrerPolicy: "no-referrer", ...request, headers: { Accept: "application/json", ...request.headers },
      });
      return { status: response.status, text: await connection.text(response) };
    } catch (error) {
      signal?.throwIfAborted();
      const failure = asFeedbackError(error);
      if (!isPassing(failure) || isOffline() || tries >= retries || failure.retryAfter > LONGEST_PAUSE) throw failure;
      await pause(failure.retryAfter ?? 0.4 * 2 ** tries * (0.75 + Math.random() / 2), signal);
    } finally {
      connection.close();
    }
  }
}

function isPassing(error) {
  return !(error instanceof FeedbackError) || RETRIED.has(error.status);
}

function isOffline() {
  return globalThis.navigator?.onLine === false;
}

function asFeedbackError(error) {
  if (error instanceof FeedbackError) return error;
  return new FeedbackError("The server could not be reached; is this device online?", { cause: error });
}

async function failureOf(response) {
  const text = await response.text().catch(() => "");
  let body = {};
  try {
    body = JSON.parse(text) ?? {};
  } catch {} // not JSON: a proxy's page
  const problem = body.error ?? {}; // WorkflowAI's shape
  const message = body.detail ?? problem.message;
  const detail = typeof message === "string" ? message : `The server responded with status ${response.status}`;
  return new FeedbackError(detail, {
    status: response.status,
    code: [body.code, problem.code].find((code) => typeof code === "string") ?? "error",
    retryAfter: secondsIn(response.headers.get("Retry-After")),
  });
}

function secondsIn(retryAfter) {
  if (!retryAfter) return undefined;
  const seconds = /^\d+$/.test(retryAfter) ? Number(retryAfter) : (Date.parse(retryAfter) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

/** Resolves after `seconds`; with `online`, only once the device is online again. */
function pause(seconds, signal, online = false) {
  return new Promise((resolve, reject) => {
    const timer = online && isOffline() ? undefined : setTimeout(() => done(resolve), seconds * 1000);
    const stop = () => done(() => reject(signal.reason));
    const again = () => done(resolve);
    const done = (then) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      globalThis.removeEventListener?.("online", again);
      then();
    };
    signal?.addEventListener("abort", stop);
    if (online) globalThis.addEventListener?.("online", again);
    if (signal?.aborted) stop();
  });
}

function json({ status, text }) {
  return parsed(text, status, "The server's response is not JSON; is this the URL of a feedback server?");
}

function parsed(text, status, otherwise) {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FeedbackError(otherwise, { status, code: "error", cause });
  }
}

/** Returns the URL of the run's events, if the response names one on this server. */
function placeOf(base, response) {
  const location = response.headers.get("Location") ?? streamAt(response.headers.get("Content-Location"));
  if (!location) return undefined;
  const place = new URL(location.startsWith("/") ? base + location : location, base);
  return place.origin === new URL(base).origin ? place.href : undefined;
}

function streamAt(run) {
  return run && `${run}/stream`;
}

function pathOfRun({ threadId, runId }) {
  return `${threadId ? `/threads/${encodeURIComponent(threadId)}` : ""}/runs/${encodeURIComponent(runId)}`;
}

function baseOf(url = "") {
  return new URL(url, globalThis.location?.href).href.replace(/\/+$/, "");
}

function resuming(headers, lastEventId) {
  return lastEventId ? { ...headers, "Last-Event-ID": lastEventId } : { ...headers };
}

function bodyOf(submission, options) {
  return JSON.stringify({ ...submission, ...whose(options) });
}

function whose({ userId, id }) {
  return { user_id: userId, id };
}

function withQuery(url, query) {
  const address = new URL(url, globalThis.location?.href);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) address.searchParams.set(name, value);
  return address.href;
}

function isSmall(body) {
  return body.length * 3 < KEEPALIVE_BYTES; // UTF-8 takes at most three bytes for a UTF-16 unit
}

/** Returns a random UUID, also on pages without TLS, where `crypto.randomUUID` is missing. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

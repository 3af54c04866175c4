/** Calls the service's API with the API key, which is stored for this tab only. */

import { urlParameters } from "./address.js";

const BASE = new URL("../../api/v1/", import.meta.url);
const SHELF = "feedback-api-key";

/** A failed request and its reason. `status` is 0 if the service is unreachable. */
export class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }

  /** Whether a different API key might help. */
  get isAboutKey() {
    return this.status === 401 || this.status === 403;
  }
}

/** The current API key, if there is one. */
export const key = () => sessionStorage.getItem(SHELF);

/** Set the API key, or remove it. */
export function useKey(text) {
  if (text) sessionStorage.setItem(SHELF, text);
  else sessionStorage.removeItem(SHELF);
}

/** `GET` the path and return the JSON; `query` is a URLSearchParams. */
export async function read(path, query, signal) {
  return (await request(address(path, query), { signal })).json();
}

/** `PUT` the body to the path and return the JSON. */
export const put = (path, body) => send("PUT", path, body);

/** Send a request with this body and return the JSON. */
export async function send(method, path, body) {
  const headers = { "content-type": "application/json" };
  return (await request(address(path), { method, body: JSON.stringify(body), headers })).json();
}

/** `DELETE` the path with the query. */
export async function remove(path, query) {
  await request(address(path, query), { method: "DELETE" });
}

/** `GET` the path and return the whole body and its file name. */
export async function download(path, query) {
  const response = await request(address(path, query), {});
  const name = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "");
  return { blob: await received(response), name: name?.[1] ?? "feedback.txt" };
}

function address(path, query) {
  const url = new URL(path, BASE);
  url.search = query ?? "";
  if (urlParameters().get("project")) url.searchParams.set("project", urlParameters().get("project"));
  return url;
}

async function request(url, options) {
  const headers = new Headers(options.headers);
  if (key()) headers.set("x-api-key", key());
  let response;
  try {
    response = await fetch(url, { ...options, headers, cache: "no-store", credentials: "same-origin" });
  } catch (error) {
    throw options.signal?.aborted ? error : new Failure(0, "The server cannot be reached. Is it running, and are you online?");
  }
  if (!response.ok) throw await failure(response);
  return response;
}

async function failure(response) {
  const body = await response.json().catch(() => null);
  const detail = typeof body?.detail === "string" ? body.detail : null;
  return new Failure(response.status, detail ?? `The server responded with ${response.status} ${response.statusText}`.trim());
}

async function received(response) {
  try {
    return await response.blob();
  } catch {
    throw new Failure(0, "The download broke off. Try again, or narrow the filters.");
  }
}

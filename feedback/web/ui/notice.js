/** Notices: errors with a retry button, and explanations of empty parts. */

import { h } from "./element.js";

/** The reason why a part of the page is missing, with a retry button. */
export function failed(failure, again) {
  return h("div", { class: "notice wrong", role: "alert" },
    h("p", null, failure.message),
    again && h("button", { type: "button", class: "quiet small", onclick: again }, "Try again"));
}

/** The explanation of an empty part, and what the user can do. */
export function empty(title, text, ...ways) {
  return h("div", { class: "empty" }, h("h3", null, title), h("p", null, text), ways);
}

/** A placeholder while a part loads. */
export function waiting(height) {
  return h("div", { class: `waiting ${height}`, "aria-hidden": "true" });
}

/** The reason for a rejected change, with the scope that the API key lacks. */
export const mayNot = (failure) => (failure.status === 403 ? `This API key cannot change feedback: it needs the scope feedback-write. ${failure.message}` : failure.message);

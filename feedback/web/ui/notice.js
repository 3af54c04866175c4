/** Notices: what went wrong and how to try again, and what it means that nothing is here. */

import { h } from "./element.js";

/** Why a part of the page is not shown, with a button that tries again. */
export function failed(failure, again) {
  return h("div", { class: "notice wrong", role: "alert" },
    h("p", null, failure.message),
    again && h("button", { type: "button", class: "quiet small", onclick: again }, "Try again"));
}

/** Nothing to show: why, and what can be done. */
export function empty(title, text, ...ways) {
  return h("div", { class: "empty" }, h("h3", null, title), h("p", null, text), ways);
}

/** The place of what is being loaded. */
export function waiting(height) {
  return h("div", { class: `waiting ${height}`, "aria-hidden": "true" });
}

/** Why a change was refused, with the scope that the API key lacks. */
export const mayNot = (failure) => (failure.status === 403 ? `This API key cannot change feedback: it needs the scope feedback-write. ${failure.message}` : failure.message);

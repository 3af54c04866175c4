/** The list: a row for each run and user, newest first, a page at a time. */

import { apiFilters, go, urlParameters } from "./address.js";
import { read } from "./api.js";
import { bulkBar } from "./bulk.js";
import { at, h, announce } from "./element.js";
import { exact, several, when } from "./format.js";
import { empty, failed } from "./notice.js";
import { score, reasonsOf, valueOf } from "./score.js";
import { drawStatuses } from "./statuses.js";

const PAGE = "25";
const SHORT = 12; // shown characters of a user id

/** Read and draw the page in the URL; `page` has `known`, `open(id)`, `clear()` and `guarded(work)`. */
export async function drawList(box, page, signal) {
  box.setAttribute("aria-busy", "true");
  const query = apiFilters();
  const given = urlParameters();
  query.set("limit", PAGE);
  for (const name of ["status", "cursor"]) if (given.get(name)) query.set(name, given.get(name));
  try {
    const statuses = drawStatuses(at("statuses"), signal);
    statuses.catch(() => {}); // awaited below: the rows do not wait for the counts
    const found = await read("feedback/by-run", query, signal);
    if (signal?.aborted) return;
    const had = document.activeElement?.closest?.("#feedback [data-item]")?.dataset.item;
    const isBulk = Boolean(document.activeElement?.closest?.("#feedback .bulk"));
    page.items = found.rows.flatMap((row) => row.feedback);
    box.replaceChildren(...(found.rows.length ? listed(found, page) : [nothing(page)]));
    if (had) focusItem(had);
    if (isBulk) (box.querySelector(".bulk input") ?? at("feedback-title")).focus();
    announce(`${several(found.rows.length, "row")} shown`);
    box.removeAttribute("aria-busy");
    await statuses;
  } catch (failure) {
    if (signal?.aborted) return;
    if (failure.isAboutKey) throw failure;
    box.replaceChildren(failed(failure, () => drawList(box, page, signal)));
  } finally {
    box.removeAttribute("aria-busy");
  }
}

function turn(changes) {
  go(changes);
  at("feedback-title").focus();
}

function nothing(page) {
  const given = urlParameters();
  if (given.has("cursor")) return empty("That was the last page", "There is no older feedback that fits.", h("button", { type: "button", class: "quiet small", onclick: () => turn({ cursor: null }) }, "Back to the newest"));
  if (given.has("status")) return empty("Nothing here", `No feedback that fits the filters is ${given.get("status")}.`);
  return empty("No feedback fits these filters", "Remove some of them, or choose a longer time.", h("button", { type: "button", class: "quiet small", onclick: page.clear }, "Clear filters"));
}

function listed(found, page) {
  const button = (text, cursor) => h("button", { type: "button", class: "quiet", onclick: () => turn({ cursor }) }, text);
  const list = h("ol", { class: "rows" }, found.rows.map((one) => row(one, page)));
  return [
    bulkBar(list, page),
    list,
    h("nav", { class: "pages", "aria-label": "Pages" },
      urlParameters().has("cursor") && button("Back to the newest", null),
      found.next_cursor && button("Older feedback", found.next_cursor)),
  ];
}

function row(one, page) {
  const newest = one.feedback[0];
  const words = one.feedback.find((piece) => piece.comment !== null) ?? newest;
  const opener = h("button", { type: "button", class: "opener", "data-item": newest.id, onclick: () => page.open(newest.id) }, h("span", { class: "clamped", dir: "auto" }, contentOf(words)));
  return h("li", { class: "row-of-run", "data-ids": one.feedback.map((piece) => piece.id).join(" ") },
    h("label", { class: "pick" }, h("input", { type: "checkbox", class: "picked", "aria-label": `Select the feedback of ${userOf(one.subject, true)}, ${when(one.created_at)}` })),
    h("div", { class: "story" },
      h("p", { class: "chips" }, one.feedback.map((piece) => chip(piece, page)), one.omitted > 0 && h("span", { class: "meta" }, `and ${several(one.omitted, "more piece", "more pieces")}`)),
      h("p", { class: "comment" }, opener),
      one.question && h("p", { class: "quoted" }, h("span", { class: "who" }, "Question "), h("span", { class: "clamped", dir: "auto" }, one.question)),
      one.reply && h("p", { class: "quoted" }, h("span", { class: "who" }, "Reply "), h("span", { class: "clamped", dir: "auto" }, one.reply)),
      about(one, newest, page)),
    h("div", { class: "state" }, pill(stateOf(one.feedback)), newest.review_assignee && h("span", { class: "meta" }, newest.review_assignee)));
}

/** The text of a feedback: its comment, its reasons, or its value; a category is in its chip. */
function contentOf(piece) {
  const text = piece.comment ?? (reasonsOf(piece).join(", ") || (piece.kind === "category" ? null : valueOf(piece)));
  return text === null || text === "" ? h("span", { class: "silent" }, "No comment") : text;
}

function chip(piece, page) {
  return h("button", { type: "button", class: "chip", onclick: () => page.open(piece.id), title: piece.key },
    score(piece), h("span", { class: "chip-key", dir: "auto" }, page.known.titleOf(piece.key)),
    reasonsOf(piece).slice(0, 3).map((reason) => h("span", { class: "reason" }, reason)));
}

function about(one, newest, page) {
  const parts = [newest.assistant_id && placeOf(newest, page.known), userOf(one.subject)].filter(Boolean);
  return h("p", { class: "meta" }, parts.join(" · "), " · ", h("time", { datetime: one.created_at, title: exact(one.created_at) }, when(one.created_at)),
    one.feedback.some((piece) => piece.correction !== null) && " · with a correction",
    newest.feedback_source.type === "model" && " · by a model",
    one.feedback.some((piece) => piece.review_note) && " · with a note");
}

/** The assistant and version of a feedback. */
export const placeOf = (piece, known) => `${piece.assistant_name ?? known.nameOf(piece.assistant_id)}${piece.assistant_version === null ? "" : ` v${piece.assistant_version}`}`;

/** The shortened user id; the details have the whole one. */
export function userOf(subject, whole = false) {
  if (subject === null) return "anonymous";
  return whole || subject.length <= 2 * SHORT ? subject : `${subject.slice(0, SHORT)}…`;
}

/** The row's status: new while any of its feedback is. */
function stateOf(pieces) {
  const states = new Set(pieces.map((piece) => piece.review_status));
  return ["new", "seen", "done"].find((state) => states.has(state));
}

/** Focus the listed feedback, or the list's title if it is no longer listed. */
export function focusItem(id) {
  (document.querySelector(`[data-item="${CSS.escape(id)}"]`) ?? document.querySelector(`[data-ids~="${CSS.escape(id)}"] .opener`) ?? at("feedback-title")).focus();
}

/** The review status as a pill. */
export function pill(status) {
  return h("span", { class: `pill ${status}` }, h("span", { class: "unseen" }, "Review status: "), status[0].toUpperCase() + status.slice(1));
}

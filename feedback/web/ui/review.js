/** The review of a feedback: status, note and assignee, each saved when it is changed, with their history. */

import { put, read } from "./api.js";
import { addToDataset } from "./datasets.js";
import { at, h, announce } from "./element.js";
import { exact, moment } from "./format.js";
import { failed, mayNot } from "./notice.js";

const NAME = "feedback-reviewer";

/** The name of the person at this tab, as it was last entered; null without one. */
export const reviewerHere = () => sessionStorage.getItem(NAME) || null;

export const STATUSES = [["new", "New"], ["seen", "Seen"], ["done", "Done"]];

/** Read and draw the review; `changed(review)` is called after saving. */
export async function drawReview(box, piece, changed) {
  box.replaceChildren(h("p", { class: "meta" }, "Loading…"));
  try {
    fill(box, piece, await read(`feedback/${encodeURIComponent(piece.id)}/review`), changed);
  } catch (failure) {
    box.replaceChildren(failed(failure, () => drawReview(box, piece, changed)));
  }
}

function fill(box, piece, review, changed) {
  const note = h("textarea", { id: "note", name: "note", rows: 2, maxlength: 4000, placeholder: "What was found, what was done about it" }, review.note ?? "");
  const outcome = h("div", { class: "outcome", "aria-live": "polite" });
  const form = h("form", { class: "review" }, choice(review), h("label", { for: "note" }, "Note"), note,
    h("label", { for: "assignee" }, "Assignee"), h("input", { id: "assignee", name: "assignee", maxlength: 200, autocomplete: "off", value: review.assignee ?? "" }),
    h("label", { for: "reviewer" }, "Your name"), h("input", { id: "reviewer", name: "reviewer", maxlength: 200, autocomplete: "name", value: reviewerHere() ?? "", onchange: remember }),
    h("div", { class: "row" }, h("button", { class: "small" }, "Save"), h("button", { type: "button", class: "quiet small", onclick: () => addToDataset([piece.id]) }, "Add to dataset"), outcome));
  let log = logged(review);
  const entered = () => ({ status: form.elements.review.value, note: note.value, assignee: form.elements.assignee.value.trim() || null });
  let sent = JSON.stringify(entered());
  const save = async () => {
    const update = entered();
    if (JSON.stringify(update) === sent) {
      if (!form.querySelector("[aria-disabled]")) saySaved(outcome);
      return;
    }
    sent = JSON.stringify(update);
    const now = await saved(form, outcome, piece, { ...update, ...signature() });
    if (!now) return void (sent = null); // so that another press tries again
    const next = logged(now);
    log.replaceWith(next);
    log = next;
    changed(now);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save();
  });
  form.addEventListener("change", (event) => {
    if (event.target.name !== "reviewer") save();
  });
  box.replaceChildren(form, log);
}

function remember({ target }) {
  if (target.value.trim()) sessionStorage.setItem(NAME, target.value.trim());
  else sessionStorage.removeItem(NAME);
}

/** The reviewer as part of an update; without a name, the stored reviewer stays. */
export const signature = () => (reviewerHere() ? { reviewer: reviewerHere() } : {});

function choice(review) {
  return h("fieldset", { class: "segments" }, h("legend", { class: "unseen" }, "Review status"),
    STATUSES.map(([status, label]) => h("label", null, h("input", { type: "radio", name: "review", value: status, checked: review.status === status }), h("span", null, label))));
}

const saySaved = (outcome) => outcome.replaceChildren(h("span", { class: "good" }, "Saved"));

/** Send the update and return the review; null if it failed, which the form then says. */
async function saved(form, outcome, piece, update) {
  const button = form.querySelector("button");
  button.setAttribute("aria-disabled", "true");
  try {
    const now = await put(`feedback/${encodeURIComponent(piece.id)}/review`, update);
    saySaved(outcome);
    announce("Review saved");
    return now;
  } catch (failure) {
    outcome.replaceChildren(h("span", { class: "wrong", role: "alert" }, mayNot(failure)));
    if (!form.isConnected || !form.closest("dialog").open) at("notice").replaceChildren(failed({ message: `A review was not saved. ${mayNot(failure)}` }));
    return null;
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

function logged(review) {
  if (!review.log.length) return h("p", { class: "meta" }, "Not reviewed yet.");
  return h("details", { class: "log" }, h("summary", null, `History (${review.log.length})`),
    h("ol", null, review.log.map((entry) => h("li", null, h("strong", null, entry.status), " · ", h("time", { title: exact(entry.reviewed_at), datetime: entry.reviewed_at }, moment(entry.reviewed_at)), entry.assignee && ` · assigned to ${entry.assignee}`, entry.reviewer && ` · by ${entry.reviewer}`, entry.note && h("p", { dir: "auto" }, entry.note)))));
}

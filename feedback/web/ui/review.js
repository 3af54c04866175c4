/** The review of an answer: new, seen or done, with a note; and all that it was before. */

import { put, read } from "./api.js";
import { h, say } from "./element.js";
import { moment } from "./format.js";
import { failed } from "./notice.js";

const STATUSES = [["new", "New"], ["seen", "Seen"], ["done", "Done"]];

/** Read and draw it; `changed(review)` is called when it was saved. */
export async function drawReview(box, answer, changed) {
  box.replaceChildren(h("p", { class: "meta" }, "Looking it up …"));
  try {
    fill(box, answer, await read(`feedback/${encodeURIComponent(answer.id)}/review`), changed);
  } catch (failure) {
    box.replaceChildren(failed(failure, () => drawReview(box, answer, changed)));
  }
}

function fill(box, answer, review, changed) {
  const note = h("textarea", { id: "note", name: "note", rows: 2, maxlength: 4000, placeholder: "What was found, what was done about it" }, review.note ?? "");
  const outcome = h("div", { class: "outcome" });
  const save = async (event) => {
    event.preventDefault();
    const form = event.target;
    await saved(form, outcome, answer, { status: form.elements.review.value, note: note.value }, (now) => {
      log.replaceWith((log = logged(now)));
      changed(now);
    });
  };
  let log = logged(review);
  box.replaceChildren(
    h("form", { class: "review", onsubmit: save }, choice(review), h("label", { for: "note" }, "Note"), note, h("div", { class: "row" }, h("button", { class: "small" }, "Save"), outcome)),
    log);
}

function choice(review) {
  return h("fieldset", { class: "segments" }, h("legend", { class: "unseen" }, "Review status"),
    STATUSES.map(([status, label]) => h("label", null, h("input", { type: "radio", name: "review", value: status, checked: review.status === status }), h("span", null, label))));
}

async function saved(form, outcome, answer, update, done) {
  const button = form.querySelector("button");
  button.setAttribute("aria-disabled", "true");
  try {
    done(await put(`feedback/${encodeURIComponent(answer.id)}/review`, update));
    outcome.replaceChildren(h("span", { class: "good" }, "Saved"));
    say("Review saved");
  } catch (failure) {
    const text = failure.status === 403 ? `This key may not review: it needs the scope feedback-write. ${failure.message}` : failure.message;
    outcome.replaceChildren(h("span", { class: "wrong", role: "alert" }, text));
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

function logged(review) {
  if (!review.log.length) return h("p", { class: "meta" }, "Nobody has reviewed it yet.");
  return h("details", { class: "log" }, h("summary", null, `History (${review.log.length})`),
    h("ol", null, review.log.map((entry) => h("li", null, h("strong", null, entry.status), ` · ${moment(entry.reviewed_at)}`, entry.note && h("p", { dir: "auto" }, entry.note)))));
}

/** Answers: the newest first, a page at a time. A page follows the one before by its last answer, however many there are. */

import { asked, show, shown } from "./address.js";
import { read } from "./api.js";
import { at, h, say } from "./element.js";
import { moment, several, when } from "./format.js";
import { icon } from "./icons.js";
import { empty, failed } from "./notice.js";
import { score, valueOf } from "./score.js";
import { drawStatuses } from "./statuses.js";

const PAGE = "25";

/** Read and draw the page that the address names; `page` has `known`, `open(answer)` and `clear()`. */
export async function drawAnswers(box, page, signal) {
  box.setAttribute("aria-busy", "true");
  const query = asked();
  const given = shown();
  query.set("limit", PAGE);
  for (const name of ["status", "cursor"]) if (given.get(name)) query.set(name, given.get(name));
  const again = () => drawAnswers(box, page, signal);
  try {
    const [found] = await Promise.all([read("feedback/search", query, signal), drawStatuses(at("statuses"), turn(box, page), signal)]);
    const had = document.activeElement?.closest?.("#answers [data-answer]")?.dataset.answer;
    box.replaceChildren(...(found.feedback.length ? listed(found, box, page) : [nothing(page)]));
    if (had) focusAnswer(had);
    say(`${several(found.feedback.length, "answer")} shown`);
  } catch (failure) {
    if (signal?.aborted) return;
    if (failure.isAboutKey) throw failure;
    box.replaceChildren(failed(failure, again));
  } finally {
    box.removeAttribute("aria-busy");
  }
}

/** Go to another page, or another status. */
function turn(box, page) {
  return async (changes, focus) => {
    show(changes);
    await page.guarded(() => drawAnswers(box, page));
    if (focus) at("answers-title").focus();
  };
}

function nothing(page) {
  if (shown().has("cursor")) return empty("That was the last one", "There are no older answers that fit.");
  if (shown().has("status")) return empty("Nothing here", `No answer that fits the filters is ${shown().get("status")}.`);
  return empty("No answer fits these filters", "Take some of them away, or look at a longer time.", h("button", { type: "button", class: "quiet small", onclick: page.clear }, "Clear filters"));
}

function listed(found, box, page) {
  const go = turn(box, page);
  const button = (text, cursor) => h("button", { type: "button", class: "quiet", onclick: () => go({ cursor }, true) }, text);
  return [
    h("ol", { class: "answers" }, found.feedback.map((answer) => row(answer, page))),
    h("nav", { class: "pages", "aria-label": "Pages" },
      shown().has("cursor") && button("Back to the newest", null),
      found.next_cursor && button("Older answers", found.next_cursor)),
  ];
}

function row(answer, page) {
  const opener = h("button", { type: "button", class: "opener", "data-answer": answer.id, onclick: () => page.open(answer) }, words(answer));
  return h("li", { class: "answer" }, score(answer), h("div", { class: "words" }, opener, about(answer, page.known)), pill(answer.review_status), icon("next"));
}

function words(answer) {
  const said = answer.comment ?? valueOf(answer);
  return said === null ? h("span", { class: "silent" }, "No comment") : h("span", { dir: "auto" }, said);
}

function about(answer, known) {
  const version = answer.assistant_version === null ? "" : ` v${answer.assistant_version}`;
  const parts = [answer.key, answer.assistant_id && `${known.nameOf(answer.assistant_id)}${version}`, answer.feedback_source.user_id].filter(Boolean);
  return h("p", { class: "meta" }, parts.join(" · "), " · ", h("time", { datetime: answer.created_at, title: moment(answer.created_at) }, when(answer.created_at)),
    answer.correction !== null && " · with a correction", answer.review_note && " · with a note");
}

/** Put the focus on the listed answer, or on the list's title where it is not listed any more. */
export function focusAnswer(id) {
  (document.querySelector(`[data-answer="${CSS.escape(id)}"]`) ?? at("answers-title")).focus();
}

/** The review status as a pill. */
export function pill(status) {
  return h("span", { class: `pill ${status}` }, h("span", { class: "unseen" }, "Review status: "), status[0].toUpperCase() + status.slice(1));
}

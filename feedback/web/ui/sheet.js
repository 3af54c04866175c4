/** The sheet of one answer: all that was said, the conversation it is about, and what the team makes of it. */

import { show } from "./address.js";
import { focusAnswer } from "./answers.js";
import { read } from "./api.js";
import { drawConversation } from "./conversation.js";
import { at, h } from "./element.js";
import { moment } from "./format.js";
import { drawHistory } from "./history.js";
import { icon } from "./icons.js";
import { failed } from "./notice.js";
import { drawReview } from "./review.js";
import { score, valueOf } from "./score.js";

/** Open the sheet; `reviewed(review)` is called when the review was changed. */
export function openSheet(answer, known, reviewed) {
  const sheet = at("answer");
  const [talk, review] = [h("div", { class: "talk" }), h("div")];
  const before = section("Before", h("div", { class: "log" }));
  sheet.replaceChildren(head(answer, known), said(answer), before, section("Review", review), section("Conversation", talk), section("Details", details(answer, known)));
  sheet.onclose = () => {
    show({ answer: null });
    focusAnswer(answer.id);
  };
  sheet.onclick = (event) => {
    if (event.target === sheet) sheet.close();
  };
  show({ answer: answer.id });
  if (!sheet.open) sheet.showModal();
  sheet.scrollTop = 0;
  drawReview(review, answer, reviewed);
  drawConversation(talk, answer);
  drawHistory(before, answer);
}

/** Open the answer that the address names, if it names one. */
export async function openNamed(id, known, reviewed) {
  try {
    openSheet(await read(`feedback/${encodeURIComponent(id)}`), known, reviewed);
  } catch (failure) {
    if (failure.isAboutKey) throw failure;
    at("notice").replaceChildren(failed(failure));
    show({ answer: null }, { inPlace: true });
  }
}

function head(answer, known) {
  const close = h("button", { type: "button", class: "round", "aria-label": "Close", onclick: () => at("answer").close() }, icon("close"));
  const place = answer.assistant_id && `${known.nameOf(answer.assistant_id)} v${answer.assistant_version ?? "?"}`;
  return h("header", null, score(answer),
    h("div", null, h("h2", { id: "answer-title" }, answer.key), h("p", { class: "meta" }, [place, moment(answer.created_at)].filter(Boolean).join(" · "))), close);
}

function said(answer) {
  const value = valueOf(answer);
  return h("div", { class: "said" },
    answer.comment !== null && h("blockquote", { dir: "auto" }, answer.comment),
    answer.comment === null && h("p", { class: "silent" }, "No comment"),
    value !== null && h("p", null, h("strong", null, "Value "), value),
    answer.correction !== null && h("div", null, h("strong", null, "It should have said"), written(answer.correction)));
}

const written = (value) => h("pre", { tabindex: "0" }, typeof value === "string" ? value : JSON.stringify(value, null, 2));

function section(title, content) {
  return h("section", null, h("h3", null, title), content);
}

function details(answer, known) {
  const facts = [
    ["Answer", answer.id], ["Run", answer.run_id ?? answer.run_name], ["Thread", answer.thread_id],
    ["Assistant", answer.assistant_id && `${known.nameOf(answer.assistant_id)} (${answer.assistant_id})`],
    ["User", answer.feedback_source.user_id], ["Source", answer.feedback_source.type],
    ["Changed", answer.modified_at !== answer.created_at && moment(answer.modified_at)],
  ].filter(([, text]) => text);
  const metadata = answer.feedback_source.metadata;
  return [
    h("dl", null, facts.map(([name, text]) => h("div", null, h("dt", null, name), h("dd", null, text)))),
    metadata && Object.keys(metadata).length > 0 && h("div", null, h("strong", null, "Metadata"), written(metadata)),
  ];
}

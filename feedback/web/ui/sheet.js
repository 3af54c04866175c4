/** The details of one feedback: its fields, conversation and review, with links to the next and previous. */

import { linkOf, linkTo, show } from "./address.js";
import { read } from "./api.js";
import { drawConversation } from "./conversation.js";
import { at, h } from "./element.js";
import { exact, moment, zone } from "./format.js";
import { drawHistory } from "./history.js";
import { icon } from "./icons.js";
import { copyButton } from "./link.js";
import { focusItem, placeOf } from "./list.js";
import { failed } from "./notice.js";
import { drawReview } from "./review.js";
import { reasonsOf, score, valueOf } from "./score.js";

/** Open the feedback with this id, which `page.items` lists. */
export function openSheet(id, page) {
  const piece = page.items?.find((one) => one.id === id);
  if (piece) fill(piece, page);
}

/** Open the feedback in the URL, if there is one. */
export async function openNamed(id, page) {
  try {
    const found = await read("feedback/search", new URLSearchParams({ id }));
    const piece = found.feedback[0] ?? (await read(`feedback/${encodeURIComponent(id)}`));
    if (!page.items?.some((one) => one.id === id)) page.items = [...(page.items ?? []), piece];
    fill(piece, page);
  } catch (failure) {
    if (failure.isAboutKey) throw failure;
    at("notice").replaceChildren(failed(failure));
    show({ item: null, answer: null }, { inPlace: true });
  }
}

function fill(piece, page) {
  const sheet = at("item");
  const { known } = page;
  const [talk, review] = [h("div", { class: "talk" }), h("div")];
  const before = section("Before", h("div", { class: "log" }));
  const had = sheet.contains(document.activeElement) ? document.activeElement.ariaLabel : null;
  sheet.replaceChildren(head(piece, page), contentOf(piece), before, section("Review", review), section("Conversation", talk), section("Details", details(piece, known)));
  sheet.onclose = () => {
    show({ item: null, answer: null });
    refresh(page);
    focusItem(piece.id);
  };
  sheet.onclick = (event) => {
    if (event.target === sheet) sheet.close();
  };
  sheet.onkeydown = (event) => move(event, piece, page);
  show({ item: piece.id, answer: null }, { inPlace: sheet.open });
  if (!sheet.open) sheet.showModal();
  else (sheet.querySelector(`header button[aria-label="${had}"]:enabled`) ?? at("item-title")).focus();
  sheet.scrollTop = 0;
  drawReview(review, piece, (now) => {
    piece.review_status = now.status;
    piece.review_note = now.note;
    page.isStale = true;
    if (!sheet.open) refresh(page); // saved after the panel was closed
  });
  drawConversation(talk, piece, known);
  drawHistory(before, piece);
}

/** Redraw the list if a review has changed. */
function refresh(page) {
  if (page.isStale) page.redrawList();
  page.isStale = false;
}

/** The keys j and k show the next and the previous feedback, unless the user is typing. */
function move(event, piece, page) {
  if (event.metaKey || event.ctrlKey || event.altKey || event.target.closest("textarea, input:not([type=radio], [type=checkbox]), select")) return;
  const to = { j: 1, k: -1 }[event.key];
  const next = to && neighbour(piece, page, to);
  if (next) fill(next, page);
}

function neighbour(piece, page, to) {
  const place = page.items?.findIndex((one) => one.id === piece.id) ?? -1;
  return place < 0 ? undefined : page.items[place + to];
}

function head(piece, page) {
  const close = h("button", { type: "button", class: "round", "aria-label": "Close", onclick: () => at("item").close() }, icon("close"));
  const step = (to, label, name) => {
    const next = neighbour(piece, page, to);
    return h("button", { type: "button", class: "round", "aria-label": label, title: `${label} (${to > 0 ? "j" : "k"})`, disabled: !next, onclick: () => next && fill(next, page) }, icon(name));
  };
  const place = piece.assistant_id && placeOf(piece, page.known);
  return h("header", null, score(piece),
    h("div", null, h("h2", { id: "item-title", dir: "auto", tabindex: "-1" }, page.known.titleOf(piece.key)),
      h("p", { class: "meta" }, place && `${place} · `, h("time", { datetime: piece.created_at, title: exact(piece.created_at) }, moment(piece.created_at)), ` (${zone()})`)),
    h("div", { class: "steps" }, copyButton(() => linkOf(piece.id), { class: "quiet small round" }), step(-1, "Previous", "up_small"), step(1, "Next", "down_small"), close));
}

function contentOf(piece) {
  const value = valueOf(piece);
  const reasons = reasonsOf(piece);
  return h("div", { class: "content" },
    piece.comment !== null && h("blockquote", { dir: "auto" }, piece.comment),
    piece.comment === null && h("p", { class: "silent" }, "No comment"),
    reasons.length > 0 && h("p", { class: "chips" }, h("strong", null, "Reasons "), reasons.map((reason) => h("span", { class: "reason", dir: "auto" }, reason))),
    value !== null && h("p", null, h("strong", null, "Value "), h("span", { dir: "auto" }, value)),
    piece.correction !== null && h("div", null, h("strong", null, "It should have said"), written(piece.correction)));
}

const written = (value) => h("pre", { tabindex: "0", dir: "auto" }, typeof value === "string" ? value : JSON.stringify(value, null, 2));

function section(title, content) {
  return h("section", null, h("h3", null, title), content);
}

function details(piece, known) {
  const filter = (name, value) => value && linkTo({ [name]: value, view: "feedback", days: "all" }, { title: "Show all its feedback" }, value);
  const facts = [
    ["Feedback", piece.id], ["Run", filter("run", piece.run_id ?? piece.run_name)], ["Thread", filter("thread", piece.thread_id)],
    ["Assistant", piece.assistant_id && `${piece.assistant_name ?? known.nameOf(piece.assistant_id)} (${piece.assistant_id})`],
    ["User", filter("subject", piece.feedback_source.user_id) ?? "anonymous"], ["Source", piece.feedback_source.type],
    ...Object.entries(piece.run_metadata ?? {}).map(([name, value]) => [name, linkTo({ metadata: `${name}:${value}`, view: "feedback", days: "all" }, { title: "Show all its feedback" }, value)]),
    ["Created", exact(piece.created_at)], ["Changed", piece.modified_at !== piece.created_at && exact(piece.modified_at)],
  ].filter(([, text]) => text);
  const metadata = { ...piece.feedback_source.metadata };
  delete metadata.reasons;
  return [
    h("dl", null, facts.map(([name, text]) => h("div", null, h("dt", null, name), h("dd", null, text)))),
    Object.keys(metadata).length > 0 && h("div", null, h("strong", null, "Metadata"), written(metadata)),
  ];
}

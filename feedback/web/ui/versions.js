/** Versions: how each assistant's versions do, side by side. */

import { drawComparison } from "./comparison.js";
import { h } from "./element.js";
import { count, percent, range } from "./format.js";
import { empty } from "./notice.js";
import { whisker } from "./whisker.js";

/** The table of the statistics by assistant and version, and the comparison of two. `known` has the assistants' names. */
export function drawVersions(box, statistics, known) {
  const placed = statistics.filter((one) => one.assistant_id !== null && one.scores > 0);
  if (!placed.length) {
    box.replaceChildren(empty("No versions to tell apart", "Answers about runs that an agent server beside this service ran have an assistant and a version; none of these has a score."));
    return;
  }
  const comparison = h("div", { class: "card comparison" });
  box.replaceChildren(h("div", { class: "card flush" }, table(sorted(placed, known), known)), comparison);
  drawComparison(comparison, placed, known);
}

function sorted(statistics, known) {
  const place = (one) => known.assistants.findIndex((assistant) => assistant.id === one.assistant_id);
  return statistics.toSorted((a, b) => place(a) - place(b) || a.key.localeCompare(b.key) || (b.assistant_version ?? 0) - (a.assistant_version ?? 0));
}

function table(statistics, known) {
  const heads = ["Assistant", "Key", "Version", "Scores", "Positive", "Interval (95%)"];
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Shares by assistant and version" },
    h("table", { class: "versions" }, h("caption", { class: "unseen" }, "Share of positive scores by assistant, key and version"),
      h("thead", null, h("tr", null, heads.map((head) => h("th", { scope: "col" }, head)), h("td", null))),
      h("tbody", null, statistics.map((one, i) => row(one, statistics[i - 1], known)))));
}

function row(one, before, known) {
  const sameAssistant = before?.assistant_id === one.assistant_id;
  const sameKey = sameAssistant && before.key === one.key;
  const cell = (text, isSame) => h("td", { class: isSame ? "same" : "" }, text);
  return h("tr", { class: sameKey ? "" : "first" },
    cell(known.nameOf(one.assistant_id), sameAssistant), cell(one.key, sameKey),
    h("th", { scope: "row" }, `v${one.assistant_version ?? "?"}`),
    h("td", null, count(one.scores)), h("td", null, h("strong", null, percent(one.share))), h("td", null, range(one.interval)),
    h("td", { class: "drawn" }, whisker(one.interval, one.share)));
}

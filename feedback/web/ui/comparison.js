/** Comparison: whether one version of an assistant is better than another for a key, or not shown to be. */

import { asked, show, shown } from "./address.js";
import { read } from "./api.js";
import { h } from "./element.js";
import { percent, range, several } from "./format.js";
import { failed } from "./notice.js";
import { whisker } from "./whisker.js";

/** Two versions to choose, and what their answers say. The choice is kept in the address. */
export function drawComparison(box, statistics, known) {
  const chosen = choose(pairs(statistics));
  if (!chosen) {
    box.replaceChildren(h("h3", null, "Compare two versions"), h("p", { class: "meta" }, "There is only one version with scores so far. Once there is another, whether it is better is told here."));
    return;
  }
  const verdict = h("div", { class: "verdict", "aria-live": "polite" });
  box.replaceChildren(h("h3", null, "Compare two versions"), form(box, chosen, statistics, known), verdict);
  compare(verdict, chosen);
}

/** Assistant and key that have scores of two versions or more, the most answered first. */
function pairs(statistics) {
  const found = new Map();
  for (const one of statistics) {
    const name = JSON.stringify([one.assistant_id, one.key]);
    if (!found.has(name)) found.set(name, { name, assistant: one.assistant_id, key: one.key, versions: [], scores: 0 });
    found.get(name).versions.push(one.assistant_version);
    found.get(name).scores += one.scores;
  }
  return [...found.values()].filter((pair) => pair.versions.length > 1).sort((a, b) => b.scores - a.scores);
}

function choose(all) {
  const given = shown();
  const pair = all.find((one) => one.name === given.get("compare")) ?? all[0];
  if (!pair) return null;
  const versions = pair.versions.toSorted((a, b) => a - b);
  const version = (name, usual) => (versions.includes(Number(given.get(name))) && given.has(name) ? Number(given.get(name)) : usual);
  return { ...pair, all, versions, baseline: version("baseline", versions.at(-2)), candidate: version("candidate", versions.at(-1)) };
}

function form(box, chosen, statistics, known) {
  const change = (changes) => {
    const name = document.activeElement?.name;
    show(changes, { inPlace: true });
    drawComparison(box, statistics, known);
    box.querySelector(`[name="${name}"]`)?.focus();
  };
  const of = chosen.all.map((one) => [one.name, `${known.nameOf(one.assistant)} · ${one.key}`]);
  const versions = chosen.versions.map((one) => [String(one), `Version ${one}`]);
  return h("div", { class: "fields" },
    select("What", "compare", of, chosen.name, (value) => change({ compare: value, baseline: null, candidate: null })),
    select("Is", "candidate", versions, String(chosen.candidate), (value) => change({ candidate: value })),
    select("better than", "baseline", versions, String(chosen.baseline), (value) => change({ baseline: value })));
}

function select(label, name, options, value, chosen) {
  return h("div", { class: name === "compare" ? "field wide" : "field" }, h("label", { for: name }, label),
    h("select", { name, id: name, onchange: (event) => chosen(event.target.value) }, options.map(([one, text]) => h("option", { value: one, selected: one === value }, text))));
}

async function compare(box, chosen) {
  const query = asked();
  for (const [name, value] of Object.entries({ assistant: chosen.assistant, key: chosen.key, baseline: chosen.baseline, candidate: chosen.candidate })) query.set(name, value);
  query.delete("version");
  try {
    box.replaceChildren(...told(await read("feedback/comparison", query)));
  } catch (failure) {
    box.replaceChildren(failed(failure, () => compare(box, chosen)));
  }
}

const MARKS = { better: "good", worse: "bad" };

function told(found) {
  return [
    h("p", { class: `finding ${MARKS[found.verdict] ?? ""}` }, h("strong", null, sentence(found))),
    sample(found.candidate), sample(found.baseline),
    h("p", { class: "meta" }, difference(found)),
  ];
}

function sentence({ verdict, baseline, candidate }) {
  const [one, other] = [`Version ${candidate.version}`, `version ${baseline.version}`];
  if (one.slice(8) === other.slice(8)) return "This is the same version twice.";
  if (verdict === "better" || verdict === "worse") return `${one} is ${verdict} than ${other}.`;
  return verdict === "too few answers" ? "There are too few scores to tell." : `${one} is not shown to differ from ${other}.`;
}

function sample(one) {
  return h("div", { class: "sample" }, h("span", null, `v${one.version}`), whisker(one.interval, one.share),
    h("span", null, one.scores ? `${percent(one.share)} (${range(one.interval)}) of ${several(one.scores, "score")}` : "no scores"));
}

function difference(found) {
  if (found.difference === null) return "A version without scores cannot be compared.";
  const points = (share) => `${share > 0 ? "+" : ""}${(share * 100).toFixed(1)}`;
  return `Difference ${points(found.difference)} points; the true one is between ${points(found.interval.low)} and ${points(found.interval.high)} (95 %).`;
}

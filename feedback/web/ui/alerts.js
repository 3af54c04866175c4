/** Alert rules with their findings and states, and forms to create, change and delete them. */

import { read, remove, send } from "./api.js";
import { askToDelete, input, labelled, openForm, select } from "./dialog.js";
import { h } from "./element.js";
import { exact, number, percent, several, when } from "./format.js";

const MEASURES = [["below", "Share of positive scores is below"], ["mean below", "Mean is below"], ["mean above", "Mean is above"], ["worse", "Newest version is worse than the one before"]];

/** The table of the rules with their findings, and a button for a new one. */
export async function alertSettings(box, { page, again, signal }) {
  const rules = await read("feedback/alert-rules", "", signal);
  box.replaceChildren(
    rules.length ? table(rules, page.known, again) : h("p", { class: "meta" }, "There are no alert rules yet."),
    h("button", { type: "button", class: "small", onclick: () => create(page.known.keys, again) }, "New alert rule"));
}

function table(rules, known, again) {
  const drop = (rule) => () => askToDelete("Delete this alert rule?", `${worded(rule, known)}. Its alerts end, and it notifies no one any more.`, async () => {
    await remove(`feedback/alert-rules/${encodeURIComponent(rule.id)}`);
    await again();
  });
  const row = (rule) => h("tr", null,
    h("th", { scope: "row", dir: "auto" }, worded(rule, known)),
    h("td", null, rule.alerts.length ? h("ul", { class: "plain" }, rule.alerts.map((one) => h("li", null, finding(one)))) : "No feedback in its time"),
    h("td", null, rule.id ? h("button", { type: "button", class: "quiet small", "aria-label": `Delete ${worded(rule, known)}`, onclick: drop(rule) }, "Delete") : h("span", { class: "meta" }, "from the configuration")));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Alert rules" },
    h("table", { class: "wrapped" }, h("thead", null, h("tr", null, ["Rule", "Now"].map((text) => h("th", { scope: "col" }, text)), h("td", null))), h("tbody", null, rules.map(row))));
}

/** The rule in words: “Stars: mean below 3.5 in the last 24 hours, from at least 20 scores”. */
function worded({ definition: { key, below, mean_below, mean_above, hours, enough } }, known) {
  const bounds = [[below, (value) => `less than ${percent(value)} positive`], [mean_below, (value) => `mean below ${number(value)}`], [mean_above, (value) => `mean above ${number(value)}`]];
  const [bound, text] = bounds.find(([value]) => value !== null && value !== undefined) ?? [null, () => "newest version worse than the one before"];
  return `${known.titleOf(key)}: ${text(bound)} in the last ${several(hours, "hour")}, from at least ${several(enough, "score")}`;
}

function finding({ finding: found, firing, changed_at }) {
  const shown = found.share !== null ? `${percent(found.share)} positive` : found.mean === null ? "no figure" : `mean ${number(found.mean)}`;
  const who = found.assistant_name ?? found.assistant_id ?? "no assistant";
  const figure = found.reason ?? `${shown}, from ${several(found.scores, "score")}`;
  return [h("span", { class: `pill ${firing ? "firing" : "done"}` }, firing ? "Firing" : "Quiet"), " ", h("bdi", null, who), `${found.version === null ? "" : ` v${found.version}`}: ${figure}`,
    changed_at && h("span", { class: "meta" }, " since ", h("time", { datetime: changed_at, title: exact(changed_at) }, when(changed_at)))];
}

function create(keys, again) {
  const measure = select("measure", MEASURES, "below");
  const bound = labelled("Bound", input("bound", "", { type: "number", step: "any" }), { hint: "A share is between 0 and 1: 0.7 is 70 %." });
  measure.addEventListener("change", () => (bound.hidden = measure.value === "worse"));
  openForm("New alert rule", [
    labelled("Feedback key", input("key", "", { required: true, maxlength: 180, list: "alert-keys" }), { wide: true }), h("datalist", { id: "alert-keys" }, keys.map((key) => h("option", { value: key }))),
    labelled("When", measure, { wide: true }), bound,
    labelled("Hours to look back", input("hours", "24", { type: "number", min: 1, max: 8760, required: true })),
    labelled("Fewest scores", input("enough", "20", { type: "number", min: 1, required: true })),
  ], async ({ elements }) => {
    const value = elements.bound.value === "" ? null : Number(elements.bound.value);
    const bounds = { below: { below: value }, "mean below": { mean_below: value }, "mean above": { mean_above: value }, worse: {} }[elements.measure.value];
    await send("POST", "feedback/alert-rules", { key: elements.key.value.trim(), ...bounds, compares_versions: elements.measure.value === "worse", hours: Number(elements.hours.value), enough: Number(elements.enough.value) });
    await again();
  });
}

/** The filter form at the top of the page. The URL stores its values. */

import { DEFAULT_DAYS, noFilters, setFilters, show, urlParameters } from "./address.js";
import { h } from "./element.js";
import { icon } from "./icons.js";
import { METADATA, changedMetadata, givenMetadata, metadataFields } from "./metadata.js";

const SPANS = [["7", "7 days"], ["30", "30 days"], ["90", "90 days"], ["365", "1 year"], ["all", "All time"], ["own", "Custom range"]];
const WITH = [["", "Any"], ["true", "With"], ["false", "Without"]];
const SOURCES = { api: "API", app: "App", model: "Model" };
const MORE = ["has_comment", "has_correction", "min_score", "max_score", "subject", "thread", "run", "reason", "assignee", "dataset"];
const NAMES = {
  has_comment: "Comment", has_correction: "Correction", min_score: "Score from", max_score: "Score to", subject: "User", thread: "Thread", run: "Run",
  reason: "Reason", assignee: "Assignee", dataset: "Dataset", since: "From", until: "To",
};
const PATIENCE = 350;

/** Fill the form; `changed` is called on changes. `known` has the feedback keys, assistants and versions. */
export function drawFilters(form, known, changed) {
  const had = document.activeElement?.form === form ? document.activeElement.name : null;
  const wasOpen = form.querySelector("details")?.open ?? matchMedia("(min-width: 48rem)").matches;
  const more = MORE.filter((name) => urlParameters().has(name)).length + givenMetadata().length;
  const wasMore = (form.querySelector(".more")?.open ?? false) || MORE.includes(had) || had?.startsWith(METADATA);
  const set = setFilters().length;
  form.replaceChildren(
    h("details", { open: wasOpen }, h("summary", null, icon("filter"), set ? `Filters (${set} set)` : "Filters"),
      h("div", { class: "fields" }, fields(known), h("details", { class: "more", open: wasMore }, h("summary", null, more ? `More filters (${more})` : "More filters"), h("div", { class: "fields" }, moreFields(known))))),
    chips(changed, set),
  );
  form.onsubmit = (event) => event.preventDefault();
  form.onchange = (event) => take(form, event.target, changed);
  form.oninput = (event) => takeSoon(form, event.target, changed);
  if (had) form.elements[had]?.focus();
}

function fields(known) {
  const given = urlParameters();
  const assistant = given.get("assistant") ?? "";
  return [
    choice("Time", "days", SPANS, spanOf(given)),
    spanOf(given) === "own" && [day("From", "since", given), day("To", "until", given)],
    choice("Key", "key", [["", "All"], ...known.keys.map((key) => [key, known.titleOf(key)])], given.get("key") ?? ""),
    choice("Assistant", "assistant", [["", "All"], ...known.assistants.map((one) => [one.id, one.label])], assistant),
    choice("Version", "version", [["", "All"], ...known.versionsOf(assistant).map((one) => [String(one), `Version ${one}`])], given.get("version") ?? ""),
    (known.sources.length > 1 || given.has("source")) && choice("Source", "source", [["", "All"], ...known.sources.map((one) => [one, SOURCES[one] ?? one])], given.get("source") ?? ""),
    words(given),
  ];
}

function moreFields(known) {
  const given = urlParameters();
  return [
    choice("Comment", "has_comment", WITH, given.get("has_comment") ?? ""),
    choice("Correction", "has_correction", WITH, given.get("has_correction") ?? ""),
    scores(given),
    ["subject", "thread", "run", "reason", "assignee", "dataset"].map((name) => text(NAMES[name], name, given)),
    metadataFields(known.metadata, choice),
  ];
}

const spanOf = (given) => (given.has("since") || given.has("until") ? "own" : given.get("days") ?? DEFAULT_DAYS);

function field(label, name, control, more = "") {
  return h("div", { class: `field ${more}` }, h("label", { for: `filter-${name}` }, label), control);
}

function choice(label, name, options, value) {
  const listed = options.some(([one]) => one === value) ? options : [...options, [value, value]];
  return field(label, name, h("select", { name, id: `filter-${name}` }, listed.map(([one, title]) => h("option", { value: one, selected: one === value }, title))));
}

function day(label, name, given) {
  return field(label, name, h("input", { name, id: `filter-${name}`, type: "date", value: given.get(name) }));
}

function text(label, name, given) {
  return field(label, name, h("input", { name, id: `filter-${name}`, type: "text", maxlength: 200, autocomplete: "off", spellcheck: "false", value: given.get(name) }));
}

function scores(given) {
  const end = (name, label, placeholder) => h("input", { name, type: "number", step: "any", inputmode: "decimal", "aria-label": label, placeholder, value: given.get(name) });
  return h("div", { class: "field", role: "group", "aria-label": "Score" }, h("span", { "aria-hidden": "true" }, "Score"),
    h("span", { class: "pair" }, end("min_score", "Score from", "from"), end("max_score", "Score to", "to")));
}

function words(given) {
  const input = h("input", { name: "text", id: "filter-text", type: "search", placeholder: "Words in comments", maxlength: 200, value: given.get("text") });
  return field("Text", "text", h("span", { class: "search" }, icon("search"), input), "wide");
}

/** The filters in a collapsed part of the form, with buttons that remove one or all of them. */
function chips(changed, set) {
  if (!set) return "";
  const apply = (changes) => () => {
    show(changes);
    changed();
  };
  const chip = (title, text, changes) => h("button", { type: "button", class: "quiet small", "aria-label": `Remove the filter ${title}: ${text}`, onclick: apply({ ...changes, cursor: null }) }, h("span", { dir: "auto" }, `${title}: ${text}`), icon("close"));
  return h("div", { class: "set-filters" },
    MORE.filter((name) => urlParameters().has(name)).map((name) => chip(NAMES[name], worded(name), { [name]: null })),
    givenMetadata().map(({ name, values }) => chip(name, values.join(" or "), changedMetadata(name, ""))),
    h("button", { type: "button", class: "quiet small", onclick: apply(noFilters()) }, "Clear filters"));
}

function worded(name) {
  const value = urlParameters().get(name);
  return name.startsWith("has_") ? WITH.find(([one]) => one === value)?.[1].toLowerCase() ?? value : value;
}

/** A selection or a finished text: a new history entry. */
function take(form, control, changed) {
  clearTimeout(form.waiting);
  if (control.name === "days") return takeSpan(control.value, changed);
  if (!control.name || !control.checkValidity()) return;
  const more = control.name === "assistant" ? { version: null } : {};
  const value = control.value.trim();
  if (control.name.startsWith(METADATA)) return takeMetadata(control.name.slice(METADATA.length), value, changed);
  if ((urlParameters().get(control.name) ?? "") === value) return;
  show({ [control.name]: value, ...more, cursor: null });
  changed();
}

function takeMetadata(name, value, changed) {
  show({ ...changedMetadata(name, value), cursor: null });
  changed();
}

/** Text being typed: applied after a pause. */
function takeSoon(form, control, changed) {
  if (control.type !== "search" && control.type !== "number") return;
  clearTimeout(form.waiting);
  form.waiting = setTimeout(() => take(form, control, changed), PATIENCE);
}

function takeSpan(value, changed) {
  const today = new Date().toISOString().slice(0, 10);
  if (value === "own") show({ days: null, since: today.slice(0, 8) + "01", until: today, cursor: null });
  else show({ days: value === DEFAULT_DAYS ? null : value, since: null, until: null, cursor: null });
  changed();
}

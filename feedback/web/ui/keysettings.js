/** Feedback keys with their kinds and configurations, and forms to create, change and delete them. */

import { read, remove, send } from "./api.js";
import { deleteButton, input, labelled, openForm, select } from "./dialog.js";
import { h } from "./element.js";
import { KINDS } from "./figures.js";
import { number } from "./format.js";
import { keyNamed } from "./known.js";
import { showFieldsOf, translationFields, translationsIn } from "./translations.js";

const CONFIGS = "../../feedback-configs";
const CHOICES = [["thumbs", "Thumbs: 1 is good"], ["reversed_thumbs", "Reversed thumbs: 1 is bad"], ["rating", "Rating on a scale, such as stars"], ["category", "Category"], ["number", "Number of any size"]];
const DIRECTIONS = [["higher", "Higher is better"], ["lower", "Lower is better"], ["none", "Neither end is better"]];
const POLICIES = [["replace", "Replaces the first"], ["append", "Is added"], ["first", "Is refused; the first stands"]];
const GOOD = { "+": true, "-": false };

/** The table of the feedback keys, and a button for a new one. */
export async function keySettings(box, { page, again, signal }) {
  const configs = await read(CONFIGS, new URLSearchParams({ limit: "100" }), signal);
  const configured = new Map(configs.map((one) => [one.feedback_key, one]));
  const keys = [...new Set([...configured.keys(), ...page.known.keys])].sort((a, b) => a.localeCompare(b));
  box.replaceChildren(
    keys.length ? table(keys, configured, again) : h("p", { class: "meta" }, "There are no feedback keys yet."),
    h("button", { type: "button", class: "small", onclick: () => edit(null, null, again) }, "New feedback key"));
}

function table(keys, configured, again) {
  const row = (key) => {
    const config = configured.get(key);
    return h("tr", null,
      h("th", { scope: "row" }, twoLines(key, config?.feedback_config.title)), h("td", null, twoLines(kindOf(key, config), scaleOf(config))),
      h("td", null, h("button", { type: "button", class: "quiet small", "aria-label": `${config ? "Edit" : "Configure"} ${key}`, onclick: () => edit(key, config, again) }, config ? "Edit" : "Configure")));
  };
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Feedback keys" },
    h("table", { class: "wrapped" }, h("thead", null, h("tr", null, ["Key and title", "Kind and range"].map((text) => h("th", { scope: "col" }, text)), h("td", null))), h("tbody", null, keys.map(row))));
}

const twoLines = (first, second) => [h("span", { dir: "auto" }, first), second && h("small", { class: "meta", dir: "auto" }, second)];

function kindOf(key, config) {
  const seen = keyNamed(key);
  if (config?.feedback_config.kind) return KINDS[config.feedback_config.kind];
  return seen ? `${KINDS[seen.kind]}${seen.is_kind_inferred ? " (inferred)" : ""}` : "";
}

function scaleOf(config) {
  const { min, max, categories } = config?.feedback_config ?? {};
  if (categories) return categories.map((one) => one.label ?? number(one.value)).join(", ");
  return min === undefined && max === undefined ? "" : `${number(min ?? null)} to ${number(max ?? null)}`;
}

function edit(key, config, again) {
  const now = config?.feedback_config ?? {};
  const seen = key === null ? null : keyNamed(key);
  const kind = now.kind ?? (config && seen?.kind !== "text" && seen?.kind) ?? "thumbs";
  const chosen = select("kind", CHOICES, kind || "thumbs");
  const scale = ["rating", "number"];
  const parts = [
    [labelled("Lowest score", input("min", now.min ?? "", { type: "number", step: "any" })), scale],
    [labelled("Highest score", input("max", now.max ?? "", { type: "number", step: "any" })), scale],
    [labelled("Words at the low end", input("low_label", now.low_label)), ["rating"]],
    [labelled("Words at the high end", input("high_label", now.high_label)), ["rating"]],
    [labelled("Direction", select("direction", DIRECTIONS, directionOf(config))), scale],
    [labelled("Categories", h("textarea", { name: "categories", rows: 4 }, written(now.categories)), { wide: true, hint: "One a line: number, label, and + for a good or - for a bad one. For example: 1 Just right +" }), ["category"]],
  ];
  const languages = translationFields(now);
  const follow = () => {
    parts.forEach(([part, kinds]) => (part.hidden = !kinds.includes(chosen.value)));
    showFieldsOf(chosen.value, languages);
  };
  chosen.addEventListener("change", follow);
  follow();
  const form = openForm(key === null ? "New feedback key" : `Feedback key ${key}`, [
    labelled("Key", input("key", key, { required: true, maxlength: 180, readonly: key !== null, spellcheck: "false" })),
    labelled("Title for people", input("title", now.title)),
    labelled("Question", input("question", now.question), { wide: true }),
    labelled("Kind", chosen, { wide: true }), parts.map(([part]) => part),
    labelled("A second feedback of the same user", select("policy", POLICIES, config?.subject_policy ?? "replace"), { wide: true }),
    languages,
  ], async (filled) => {
    await save(filled, config);
    await again();
  });
  if (config) form.querySelector(".row").append(deleteButton("Delete configuration", `Delete the configuration of ${key}?`, "Its title, question, kind, range and labels are deleted for good. The feedback stays, and its kind is inferred from its scores.", () => drop(config, again)));
}

const directionOf = (config) => config?.feedback_config.direction ?? (config?.is_lower_score_better ? "lower" : "higher");

async function save(form, config) {
  const { key, kind, title, question, min, max, low_label, high_label, direction, categories, policy } = form.elements;
  const range = kind.value === "rating" || kind.value === "number" ? { min: numeric(min), max: numeric(max), direction: direction.value } : {};
  const shape = {
    thumbs: { type: "continuous", min: 0, max: 1 },
    reversed_thumbs: { type: "continuous", min: 0, max: 1 },
    category: { type: "categorical", categories: categoriesIn(categories.value) },
  }[kind.value] ?? { type: "continuous", ...range };
  const feedback_config = { ...shape, kind: kind.value, title: title.value.trim(), question: question.value.trim(), low_label: low_label.value.trim(), high_label: high_label.value.trim(), translations: translationsIn(form.elements, shape.categories ?? [], config?.feedback_config.translations) };
  const body = { feedback_key: key.value.trim(), feedback_config, subject_policy: policy.value };
  await send(config ? "PATCH" : "POST", CONFIGS, config ? { ...body, id: config.id } : { ...body, feedback_config: withoutEmpty(feedback_config) });
}

async function drop(config, again) {
  await remove(CONFIGS, new URLSearchParams({ id: config.id }));
  await again();
}

const numeric = (control) => (control.value === "" ? null : Number(control.value));
const withoutEmpty = (config) => Object.fromEntries(Object.entries(config).filter(([, value]) => value !== ""));
const written = (categories) => (categories ?? []).map((one) => [one.value, one.label, one.is_positive === true ? "+" : one.is_positive === false ? "-" : null].filter((part) => part !== null && part !== undefined).join(" ")).join("\n");

/** The categories in lines of “number label +”. */
function categoriesIn(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean).map((line, at) => {
    const [, value, rest] = /^(-?\d+(?:\.\d+)?)?\s*(.*)$/.exec(line);
    const sign = /\s([+-])$/.exec(` ${rest}`)?.[1];
    const label = sign ? rest.slice(0, -1).trim() : rest;
    return { value: value === undefined ? at : Number(value), ...(label ? { label } : {}), ...(sign ? { is_positive: GOOD[sign] } : {}) };
  });
}

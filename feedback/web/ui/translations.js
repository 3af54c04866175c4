/** What people read of a feedback key in other languages: fields of its form, and what they hold. */

import { input, labelled } from "./dialog.js";
import { h } from "./element.js";

const LANGUAGES = [["de", "German"], ["fr", "French"], ["es", "Spanish"], ["ja", "Japanese"], ["en", "English"]];
const TEXTS = [["title", "Title"], ["question", "Question"], ["low_label", "Words at the low end"], ["high_label", "Words at the high end"]];
const field = (language, name) => `${name} ${language}`;

/** The fields; `config` is the configuration as it is. */
export function translationFields(config) {
  const all = config.translations ?? {};
  const set = LANGUAGES.filter(([language]) => all[language]).map(([, name]) => name);
  const about = "The pages and buttons of the languages they speak show these texts; an empty one is shown as above.";
  return h("details", { class: "wide translations" }, h("summary", null, set.length ? `Other languages: ${set.join(", ")}` : "Other languages"), h("p", { class: "meta" }, about),
    LANGUAGES.map(([language, name]) => h("fieldset", { class: "fields form-fields group" }, h("legend", null, name), TEXTS.map(([text, label]) => of(text.endsWith("_label") && "rating", labelled(label, input(field(language, text), all[language]?.[text], { lang: language, maxlength: 1000 })))),
      of("category", labelled("Categories", h("textarea", { name: field(language, "labels"), rows: 3, lang: language }, written(config.categories, all[language]?.labels)), { wide: true, hint: "One a line, in the order above." })))));
}

/** Mark the field as one for keys of this kind only. */
function of(kind, element) {
  if (kind) element.dataset.kind = kind;
  return element;
}

/** Show the fields of a key of this kind. */
export function showFieldsOf(kind, fields) {
  fields.querySelectorAll("[data-kind]").forEach((one) => (one.hidden = one.dataset.kind !== kind));
}

/** The texts by language as the form has them; `categories` are those of the form. Other languages stay as they are. */
export function translationsIn(elements, categories, before) {
  const others = Object.fromEntries(Object.entries(before ?? {}).filter(([language]) => !LANGUAGES.some(([one]) => one === language)));
  const found = LANGUAGES.map(([language]) => [language, textsOf(elements, language, categories)]).filter(([, texts]) => Object.keys(texts).length > 0);
  return { ...others, ...Object.fromEntries(found) };
}

function textsOf(elements, language, categories) {
  const texts = TEXTS.map(([name]) => [name, elements[field(language, name)].value.trim()]).filter(([, text]) => text);
  const lines = elements[field(language, "labels")].value.split("\n").map((line) => line.trim());
  const labels = categories.map((one, at) => [nameOf(one), lines[at]]).filter(([, label]) => label);
  return { ...Object.fromEntries(texts), ...(labels.length > 0 ? { labels: Object.fromEntries(labels) } : {}) };
}

const nameOf = ({ label, value }) => label ?? String(value);

function written(categories, labels) {
  const lines = (categories ?? []).map((one) => labels?.[nameOf(one)] ?? "");
  return lines.some(Boolean) ? lines.join("\n") : "";
}

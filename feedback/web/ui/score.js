/** Scores: what an answer gave, with a thumb that says whether it is on the good side. */

import { h } from "./element.js";
import { number } from "./format.js";
import { icon } from "./icons.js";

/** The chip of the answer's score, or of its value, or of words alone. */
export function score(answer) {
  if (answer.score === null) return h("span", { class: "score" }, icon("words"), h("span", { class: "unseen" }, "No score"));
  const shown = typeof answer.score === "number" ? number(answer.score) : answer.score ? "yes" : "no";
  if (typeof answer.is_positive !== "boolean") return h("span", { class: "score" }, shown);
  const [mood, thumb, said] = answer.is_positive ? ["good", "up", "Positive"] : ["bad", "down", "Not positive"];
  return h("span", { class: `score ${mood}` }, icon(thumb), h("span", { class: "unseen" }, `${said}, score `), shown);
}

/** The value as text. */
export const valueOf = (answer) => (answer.value === null ? null : typeof answer.value === "string" ? answer.value : JSON.stringify(answer.value));

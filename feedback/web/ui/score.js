/** Readable scores, by the feedback key's kind. The service decides which scores are positive. */

import { h } from "./element.js";
import { number } from "./format.js";
import { icon } from "./icons.js";
import { keyNamed } from "./known.js";

const THUMBS = { true: ["up", "Thumbs up"], false: ["down", "Thumbs down"] };

/** The score of a feedback, or its value, or an icon for a comment alone. */
export function score(piece) {
  if (piece.score === null && piece.value === null) return h("span", { class: "score" }, icon("words"), h("span", { class: "unseen" }, "No score"));
  const mood = typeof piece.is_positive === "boolean" ? (piece.is_positive ? "good" : "bad") : "";
  if (piece.kind === "thumbs" || piece.kind === "reversed_thumbs") return thumb(piece, mood);
  return h("span", { class: `score ${mood}` }, h("span", { dir: "auto" }, text(piece)), mood && h("span", { class: "unseen" }, mood === "good" ? " positive" : " negative"));
}

function thumb(piece, mood) {
  const isUp = piece.is_positive ?? (Number(piece.score) > 0) !== (piece.kind === "reversed_thumbs");
  const [name, label] = THUMBS[isUp];
  return h("span", { class: `score ${mood}` }, icon(name), h("span", { class: "unseen" }, label));
}

function text(piece) {
  if (piece.kind === "category" || piece.score === null) return valueOf(piece) ?? number(piece.score);
  const { low, high } = keyNamed(piece.key) ?? {};
  if (piece.kind !== "rating" || high === undefined || high === null) return number(Number(piece.score));
  return low === 1 && high === 5 ? `${number(piece.score)} ★` : `${number(piece.score)} of ${number(high)}`;
}

/** The value as text; several categories as their labels. */
export function valueOf(piece) {
  const { value } = piece;
  if (value === null) return null;
  if (Array.isArray(value.labels)) return value.labels.map((label, at) => label ?? value.values?.[at]).join(", ");
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The reasons in the submission. */
export function reasonsOf(piece) {
  const reasons = piece.feedback_source.metadata?.reasons;
  return Array.isArray(reasons) ? reasons.filter((reason) => typeof reason === "string") : [];
}

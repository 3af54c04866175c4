/** Texts for statistics by the feedback key's kind. The service decides which scores are positive. */

import { count, number, percent, range, several, span } from "./format.js";

export const KINDS = {
  thumbs: "Thumbs",
  reversed_thumbs: "Reversed thumbs",
  rating: "Rating",
  category: "Category",
  number: "Number",
  text: "Text",
};

/** Whether the feedback key's ratings are stars. */
export const isStars = (one) => one.kind === "rating" && one.low === 1 && one.high === 5;

/** Whether the figure is a share of scores, which lies between 0 and 1. */
export const isShare = (one) => one.kind !== "rating" && one.kind !== "number";

/** The number of scores that the figure is of: for a key such as `user_liked`, those of `user_disliked`, too. */
export const votesOf = (one) => one.scores + (one.counterpart?.scores ?? 0);

/** The figure of a statistic or sample, with its interval; null where it has none. */
export function figureOf(one, kind = one.kind) {
  if (!votesOf(one)) return null;
  if (kind === "rating" || kind === "number") return one.mean === null ? null : { value: one.mean, interval: one.mean_interval };
  if (kind === "reversed_thumbs") return { value: one.negative_share, interval: one.negative_interval };
  return one.share === null ? null : { value: one.share, interval: one.interval };
}

/** The figure as text: 83%, or 4.2 for a mean. */
export const shownFigure = (one, value) => (value === null || value === undefined ? "–" : isShare(one) ? percent(value) : number(value));

/** The interval as text: 79–86%, or 3.9–4.4. */
export const shownInterval = (one, interval) => (interval ? (isShare(one) ? range : span)(interval) : "–");

/** The figure's name: “positive”, “dislikes”, “mean on a scale of 1 to 5”. */
export function nameOfFigure(one) {
  if (one.kind === "reversed_thumbs") return "dislikes";
  if (one.kind === "rating") return one.low === null ? "mean" : `mean on a scale of ${number(one.low)} to ${number(one.high)}`;
  if (one.kind === "number") return "mean";
  return one.kind === "category" ? "in good categories" : "positive";
}

/** The figures in one line: “412 scores, lower is better, 12 without a score”, or “60 thumbs: 38 user_liked, 22 user_disliked”. */
export function aboutScores(one) {
  const silent = one.count - one.scores;
  if (one.counterpart) return `${several(votesOf(one), "thumb")}: ${count(one.scores)} ${one.key}, ${count(one.counterpart.scores)} ${one.counterpart.key}`;
  const better = one.kind === "rating" || one.kind === "number" ? one.is_lower_score_better && "lower is better" : null;
  return [several(one.scores, "score"), better, silent > 0 && `${count(silent)} without a score`].filter(Boolean).join(" · ");
}

/** The ends of the figure's axis; null to use the data's. */
export function axisOf(one) {
  if (isShare(one)) return [0, 1];
  return one.kind === "rating" && one.low !== null ? [one.low, one.high] : null;
}

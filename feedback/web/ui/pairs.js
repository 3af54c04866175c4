/** Pairs of keys such as `user_liked` and `user_disliked`: each alone has only thumbs of one side. */

import { percent, several } from "./format.js";

const SIDES = { thumbs: "share", reversed_thumbs: "negative_share" };

/** “Together with user_disliked: 76% of 190 thumbs are up”; null for a key without a counterpart among the statistics. */
export function togetherWith(total, totals) {
  const name = total.key.includes("disliked") ? total.key.replace("disliked", "liked") : total.key.replace("liked", "disliked");
  const other = totals.find((one) => one !== total && one.key === name && one.source === total.source);
  if (!other || ![total, other].every((one) => one.kind in SIDES && one.scores)) return null;
  const scores = total.scores + other.scores;
  return `Together with ${other.title ?? other.key}: ${percent((upsOf(total) + upsOf(other)) / scores)} of ${several(scores, "thumb")} are up`;
}

function upsOf(one) {
  const share = one[SIDES[one.kind]];
  return one.scores * (one.kind === "thumbs" ? share : 1 - share);
}

/** Earlier versions of a feedback. */

import { read } from "./api.js";
import { h } from "./element.js";
import { exact, moment } from "./format.js";
import { failed } from "./notice.js";
import { score, valueOf } from "./score.js";

/** Read and draw the versions; `box` stays hidden without any. */
export async function drawHistory(box, piece) {
  box.hidden = true;
  if (piece.modified_at === piece.created_at) return;
  const list = box.querySelector("div");
  try {
    const { versions } = await read(`feedback/${encodeURIComponent(piece.id)}/history`);
    box.hidden = !versions.length;
    list.replaceChildren(h("ol", null, versions.map((one) => version(one, piece))));
  } catch (failure) {
    box.hidden = false;
    list.replaceChildren(failed(failure, () => drawHistory(box, piece)));
  }
}

function version(one, piece) {
  const text = one.comment ?? valueOf(one);
  return h("li", null, score({ ...one, kind: piece.kind, key: piece.key }), " ", h("time", { class: "meta", datetime: one.replaced_at, title: exact(one.replaced_at) }, `until ${moment(one.replaced_at)}`), text !== null && h("p", { dir: "auto" }, text));
}

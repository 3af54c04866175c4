/** What an answer said before its author changed it, or a program did. */

import { read } from "./api.js";
import { h } from "./element.js";
import { moment } from "./format.js";
import { failed } from "./notice.js";
import { score, valueOf } from "./score.js";

/** Read and draw it; `box` stays hidden where there is nothing. */
export async function drawHistory(box, answer) {
  box.hidden = true;
  if (answer.modified_at === answer.created_at) return;
  const list = box.querySelector("div");
  try {
    const { versions } = await read(`feedback/${encodeURIComponent(answer.id)}/history`);
    box.hidden = !versions.length;
    list.replaceChildren(h("ol", null, versions.map(version)));
  } catch (failure) {
    box.hidden = false;
    list.replaceChildren(failed(failure, () => drawHistory(box, answer)));
  }
}

function version(one) {
  const said = one.comment ?? valueOf(one);
  return h("li", null, score(one), " ", h("span", { class: "meta" }, `until ${moment(one.replaced_at)}`), said !== null && h("p", { dir: "auto" }, said));
}

/** The counts of new, seen and done feedback, and the selection of the listed statuses. */

import { apiFilters, go, urlParameters } from "./address.js";
import { read } from "./api.js";
import { h } from "./element.js";
import { count } from "./format.js";

const STATUSES = [["", "All"], ["new", "New"], ["seen", "Seen"], ["done", "Done"]];

/** Draw the selection with its counts. */
export async function drawStatuses(box, signal) {
  const query = apiFilters();
  query.append("by", "status");
  query.append("by", "source");
  query.set("limit", "10000");
  const counts = { "": 0, new: 0, seen: 0, done: 0 };
  for (const one of await read("feedback/statistics", query, signal)) {
    counts[one.review_status] += one.count;
    counts[""] += one.count;
  }
  if (signal?.aborted) return;
  const had = box.contains(document.activeElement) ? document.activeElement.value : null;
  box.replaceChildren(h("fieldset", { class: "segments" }, h("legend", { class: "unseen" }, "Review status"), STATUSES.map((one) => segment(one, counts))));
  if (had !== null) box.querySelector(`[value="${had}"]`)?.focus();
}

function segment([status, label], counts) {
  const chosen = (urlParameters().get("status") ?? "") === status;
  return h("label", null,
    h("input", { type: "radio", name: "status", value: status, checked: chosen, onchange: () => go({ status, cursor: null }) }),
    h("span", null, label, h("small", null, count(counts[status]))));
}

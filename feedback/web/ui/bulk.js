/** Bulk actions on selected rows: set a review status or an assignee, or add them to a dataset. */

import { put } from "./api.js";
import { addToDataset } from "./datasets.js";
import { input, labelled, openForm } from "./dialog.js";
import { h, announce } from "./element.js";
import { several } from "./format.js";
import { failed, mayNot } from "./notice.js";
import { STATUSES, signature } from "./review.js";

/** The bar above the list, which appears when a row is selected. */
export function bulkBar(list, page) {
  const outcome = h("div", { class: "outcome", "aria-live": "polite" });
  const number = h("strong");
  const boxes = () => [...list.querySelectorAll(".picked")];
  const all = h("input", { type: "checkbox", "aria-label": "Select all rows" });
  const bar = h("div", { class: "bulk", role: "group", "aria-label": "Selected feedback" });
  const ids = () => boxes().filter((one) => one.checked).flatMap((one) => one.closest("[data-ids]").dataset.ids.split(" "));
  const change = (status) => async () => {
    try {
      const { changed } = await put("feedback/reviews", { ids: ids(), status, ...signature() });
      announce(`${several(changed, "review")} saved`);
      page.redrawList();
    } catch (failure) {
      outcome.replaceChildren(failed({ message: mayNot(failure) }));
    }
  };
  const update = () => {
    const chosen = boxes().filter((one) => one.checked).length;
    bar.classList.toggle("active", chosen > 0);
    all.checked = chosen > 0 && chosen === boxes().length;
    all.indeterminate = chosen > 0 && !all.checked;
    number.textContent = chosen ? `${several(chosen, "row")} selected` : "Select all";
    actions.hidden = !chosen;
  };
  const assign = () => openForm("Assign feedback", [labelled("Assignee", input("assignee", "", { maxlength: 200 }), { hint: "Empty: assigned to no one." })], async ({ elements }) => {
    await put("feedback/reviews", { ids: ids(), assignee: elements.assignee.value.trim() || null });
    page.redrawList();
  }, { action: "Assign" });
  const collect = () => addToDataset(ids());
  const actions = h("span", { class: "row", hidden: true }, STATUSES.map(([status, label]) => h("button", { type: "button", class: "quiet small", onclick: change(status) }, `Mark as ${label.toLowerCase()}`)),
    h("button", { type: "button", class: "quiet small", onclick: assign }, "Assign"), h("button", { type: "button", class: "quiet small", onclick: collect }, "Add to dataset"));
  all.addEventListener("change", () => {
    boxes().forEach((one) => (one.checked = all.checked));
    update();
  });
  list.addEventListener("change", (event) => event.target.classList.contains("picked") && update());
  bar.append(h("label", { class: "row" }, all, number), actions, outcome);
  update();
  return bar;
}

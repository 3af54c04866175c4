/** Datasets: named collections of feedback for filters and exports. */

import { put, read } from "./api.js";
import { input, labelled, openForm } from "./dialog.js";
import { h, announce } from "./element.js";
import { several } from "./format.js";

/** Ask for a dataset, and add the feedback with these ids to it. */
export async function addToDataset(ids) {
  const known = await read("feedback/datasets").catch(() => []);
  openForm("Add to a dataset", [
    labelled("Dataset", input("dataset", "", { required: true, maxlength: 200, list: "datasets" }), { hint: "A new name creates a dataset. Filter by it to see or export it." }),
    h("datalist", { id: "datasets" }, known.map((one) => h("option", { value: one.name }))),
  ], async ({ elements }) => {
    const name = elements.dataset.value.trim();
    const { changed } = await put(`feedback/datasets/${encodeURIComponent(name)}`, { ids });
    announce(`${several(changed, "piece", "pieces")} of feedback added to ${name}`);
  }, { action: "Add" });
}

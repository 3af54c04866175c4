/** Modal dialogs: a form that saves and closes, or shows the error. */

import { at, h, announce } from "./element.js";
import { mayNot } from "./notice.js";

/** Open a form with these fields; `save(values)` is called with the form's data, and the dialog closes once it is done. */
export function openForm(title, fields, save, { action = "Save" } = {}) {
  const dialog = at("form");
  const outcome = h("div", { class: "outcome", "aria-live": "polite" });
  const button = h("button", { class: "small" }, action);
  const form = h("form", null, h("h2", { id: "form-title" }, title), h("div", { class: "fields form-fields" }, fields),
    h("div", { class: "row" }, button, h("button", { type: "button", class: "quiet small", onclick: () => dialog.close() }, "Cancel")), outcome);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.setAttribute("aria-disabled", "true");
    try {
      await save(form);
      dialog.close();
      announce("Saved");
    } catch (failure) {
      if (failure.status === undefined) throw failure;
      outcome.replaceChildren(h("p", { class: "wrong", role: "alert" }, mayNot(failure)));
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });
  dialog.replaceChildren(form);
  dialog.onclose = () => dialog.replaceChildren();
  dialog.showModal();
  return form;
}

/** A labelled control. */
export function labelled(label, control, { hint, wide } = {}) {
  const id = `field-${control.name}`;
  control.id = id;
  if (hint) control.setAttribute("aria-describedby", `${id}-hint`);
  return h("div", { class: wide ? "field wide" : "field" }, h("label", { for: id }, label), control, hint && h("p", { class: "meta", id: `${id}-hint` }, hint));
}

/** A text or number field. */
export const input = (name, value, properties = {}) => h("input", { name, value: value ?? "", autocomplete: "off", ...properties });

/** A choice of [value, text]. */
export const select = (name, options, value, properties = {}) => h("select", { name, ...properties }, options.map(([one, text]) => h("option", { value: one, selected: one === (value ?? "") }, text)));

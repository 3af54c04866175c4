/** Modal dialogs: a form that saves and closes, or shows the error; and the question before something is deleted. */

import { at, h, announce } from "./element.js";
import { focusKept } from "./focus.js";
import { mayNot } from "./notice.js";

/** Open a form with these fields; `save(form)` is called on submission, and the dialog closes once it is done. */
export function openForm(title, fields, save, { action = "Save", done = "Saved" } = {}) {
  const outcome = h("div", { class: "outcome", "aria-live": "polite" });
  const button = h("button", { class: "small" }, action);
  const form = h("form", null, h("h2", { id: "form-title" }, title), h("div", { class: "fields form-fields" }, fields),
    h("div", { class: "row" }, button, h("button", { type: "button", class: "quiet small", onclick: () => at("form").close() }, "Cancel")), outcome);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.setAttribute("aria-disabled", "true");
    try {
      await save(form);
      at("form").close();
      announce(done);
    } catch (failure) {
      if (failure.status === undefined) throw failure;
      outcome.replaceChildren(h("p", { class: "wrong", role: "alert" }, mayNot(failure)));
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });
  showDialog(form);
  return form;
}

/** Ask whether to delete; `drop()` is called on a yes. In an open form, the question takes its place. */
export function askToDelete(title, about, drop) {
  const form = openForm(title, [h("p", { class: "wide" }, about)], drop, { action: "Delete", done: "Deleted" });
  form.querySelector(".row button").classList.add("danger");
  form.querySelector(".row .quiet").focus();
}

/** A button for an open form's row that asks to delete what the form is about. */
export const deleteButton = (text, ...question) => h("button", { type: "button", class: "quiet small dangerous", onclick: () => askToDelete(...question) }, text);

function showDialog(content) {
  const dialog = at("form");
  dialog.replaceChildren(content);
  if (dialog.open) return;
  const focusAgain = focusKept();
  dialog.onclose = () => {
    dialog.replaceChildren();
    focusAgain();
  };
  dialog.showModal();
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

/** The shadow tree of <feedback-buttons>, built without markup from strings: it works with Trusted Types. */

import { star, styleSheet, thumb } from "./feedback-buttons-style.js";

const MAX_COMMENT = 4000; // characters; within the server's limit in bytes for any script

export class View {
  #root;
  #act;

  /** `act` has what the user can do: `press(choice)`, `reason(reason)`, `more()`, `close()`, `send()`. */
  constructor(root, act) {
    this.#root = root;
    this.#act = act;
    root.adoptedStyleSheets = [styleSheet()];
    this.#frame();
  }

  #frame() {
    this.choices = made("span", { class: "row" });
    this.more = pressable("more", "", () => this.#act.more(), { "aria-controls": "comment" });
    this.row = made("div", { class: "row", part: "group", role: "group" }, this.choices, this.more);
    this.reasons = made("div", { class: "reasons", part: "reasons", role: "group" });
    this.caption = made("span", { part: "caption" });
    this.text = made("textarea", { part: "textarea", rows: "3", maxlength: String(MAX_COMMENT), dir: "auto" });
    this.label = made("label", {}, this.caption, this.text);
    this.send = made("button", { type: "submit", class: "send", part: "button send" });
    this.close = pressable("close", "", () => this.#act.close());
    const actions = made("div", { class: "actions" }, this.send, this.close);
    this.form = made("form", { part: "comment", id: "comment" }, this.reasons, this.label, actions);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#act.send();
    });
    this.status = made("p", { class: "status", part: "status", role: "status" });
    this.#root.append(this.row, this.form, this.status);
  }

  /** Builds the buttons. `labels` maps choices to their names; `label` is the group's. */
  build({ kind, all, labels, reasons, label, texts }) {
    this.row.setAttribute("aria-label", label);
    this.reasons.setAttribute("aria-label", texts.reasons);
    this.caption.textContent = texts.comment;
    for (const name of ["more", "send", "close"]) this[name].textContent = texts[name === "more" ? "open" : name];
    this.choices.replaceChildren(...all.map((choice) => this.#choiceButton(kind, choice, labels(choice))));
    this.reasons.replaceChildren(...reasons.map((one) => pressable("reason", one, () => this.#act.reason(one))));
  }

  #choiceButton(kind, choice, label) {
    const press = () => this.#act.press(choice);
    if (kind === "categories") return pressable("category", choice, press);
    const names = { "aria-label": label, title: label };
    if (kind === "stars") return pressable("star", choice, press, names, star());
    return pressable(`thumb ${choice}`, choice, press, names, made("slot", { name: choice }, thumb()));
  }

  /** Shows the state. `chosen` and `reasons` are the pressed ones; `asks` says what there is to ask after the choice. */
  update({ chosen, reasons, asks, isOpen, disabled }) {
    mark(this.choices, chosen);
    mark(this.reasons, reasons);
    for (const one of this.choices.querySelectorAll(".star")) one.classList.toggle("filled", one.choice <= chosen[0]);
    this.more.hidden = !asks.any;
    this.more.setAttribute("aria-expanded", String(isOpen));
    this.form.hidden = !isOpen;
    this.reasons.hidden = !asks.reasons;
    this.label.hidden = !asks.comment;
    for (const one of this.#root.querySelectorAll("button:not(.close), textarea")) one.disabled = disabled;
  }

  say(text, isFailure = false) {
    this.status.textContent = text;
    this.status.setAttribute("part", isFailure ? "status failure" : "status");
  }

  get hasFocusInForm() {
    return this.form.contains(this.#root.activeElement);
  }

  focusForm() {
    this.form.querySelector(":is(textarea, button):not([hidden] *)").focus();
  }

  focusChoice() {
    this.row.querySelector('[aria-pressed="true"]')?.focus();
  }
}

function mark(group, pressed) {
  for (const button of group.children) button.setAttribute("aria-pressed", String(pressed.includes(button.choice)));
}

function made(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Returns a button for `choice`, with its text if it has no other content. */
function pressable(kind, choice, press, attributes = {}, content = String(choice)) {
  const button = made("button", { type: "button", class: kind, part: `button ${kind}`, ...attributes }, content);
  button.choice = choice;
  button.addEventListener("click", press);
  return button;
}

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
    this.choices.addEventListener("keydown", (event) => this.#onArrow(event));
    this.#root.append(this.row, this.form, this.status);
  }

  /** Builds the buttons. `labels` maps choices to their names; `label` is the group's. */
  build({ kind, all, labels, reasons, label, texts }) {
    const isRadio = kind === "stars";
    name(this.row, isRadio ? null : "group", label);
    name(this.choices, isRadio ? "radiogroup" : null, label);
    this.reasons.setAttribute("aria-label", texts.reasons);
    this.caption.textContent = texts.comment;
    for (const one of ["send", "close"]) this[one].textContent = texts[one];
    this.choices.replaceChildren(...all.map((choice) => this.#choiceButton(kind, choice, labels(choice))));
    this.reasons.replaceChildren(...reasons.map((one) => pressable("reason", one, () => this.#act.reason(one))));
  }

  #choiceButton(kind, choice, label) {
    const press = () => this.#act.press(choice);
    if (kind === "categories") return pressable("category", choice, press, {}, label);
    const names = { "aria-label": label, title: label };
    if (kind === "stars") return pressable("star", choice, press, { ...names, role: "radio" }, star());
    return pressable(`thumb ${choice}`, choice, press, names, made("slot", { name: choice }, thumb()));
  }

  /** Moves the selection in a group of radio buttons, as the keyboard does in native ones. */
  #onArrow(event) {
    const radios = [...this.choices.querySelectorAll('[role="radio"]')];
    const at = radios.indexOf(event.target);
    if (at < 0 || event.target.disabled || event.ctrlKey || event.metaKey || event.altKey) return;
    const forward = getComputedStyle(this.choices).direction === "rtl" ? -1 : 1;
    const steps = { ArrowRight: forward, ArrowLeft: -forward, ArrowDown: 1, ArrowUp: -1, Home: -at, End: -at - 1 };
    if (!Object.hasOwn(steps, event.key)) return;
    event.preventDefault();
    const next = radios.at((at + steps[event.key]) % radios.length);
    if (next === event.target) return;
    next.focus();
    this.#act.press(next.choice);
  }

  /**
   * Shows the state. `chosen` and `reasons` are the pressed ones; `asks` says what there is to ask after the choice;
   * `more` is the text of the button that opens the comment.
   */
  update({ chosen, reasons, asks, more, isOpen, disabled }) {
    mark(this.choices, chosen);
    mark(this.reasons, reasons);
    for (const one of this.choices.querySelectorAll(".star")) one.classList.toggle("filled", one.choice <= chosen[0]);
    this.more.hidden = !asks.any;
    this.more.textContent = more;
    this.more.setAttribute("aria-expanded", String(isOpen));
    this.form.hidden = !isOpen;
    this.reasons.hidden = !asks.reasons;
    this.label.hidden = this.send.hidden = !asks.comment;
    for (const one of this.#root.querySelectorAll("button:not(.close), textarea")) one.disabled = disabled;
  }

  /** Shows a text in the status line; a text that is shown already is not announced again. */
  showStatus(text, isFailure) {
    if (this.status.textContent !== text) this.status.textContent = text;
    this.status.setAttribute("part", isFailure ? "status failure" : "status");
  }

  get hasFocusInForm() {
    return this.form.contains(this.#root.activeElement);
  }

  focusForm() {
    this.form.querySelector(":is(textarea, button):not([hidden] *)").focus();
  }

  focusChoice() {
    this.choices.querySelector('[aria-pressed="true"], [aria-checked="true"]')?.focus();
  }
}

/** Marks the pressed buttons of a group. Of radio buttons, one takes part in the order of the Tab key. */
function mark(group, pressed) {
  const buttons = [...group.children];
  const reached = buttons.find(({ choice }) => pressed.includes(choice)) ?? buttons[0];
  for (const button of buttons) {
    const isRadio = button.getAttribute("role") === "radio";
    button.setAttribute(isRadio ? "aria-checked" : "aria-pressed", String(pressed.includes(button.choice)));
    if (isRadio) button.tabIndex = button === reached ? 0 : -1;
  }
}

/** Gives an element a role and a label, or takes both away. */
function name(element, role, label) {
  for (const [attribute, value] of [["role", role], ["aria-label", role && label]]) {
    if (value === null) element.removeAttribute(attribute);
    else element.setAttribute(attribute, value);
  }
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

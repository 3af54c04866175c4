/**
 * <feedback-buttons>: thumbs, stars or categories, bound to presigned feedback URLs.
 *
 *   <script type="module" src="https://agents.example/feedback/feedback-buttons.js"></script>
 *   <feedback-buttons positive-src="…" negative-src="…" reasons="Wrong, Too long"></feedback-buttons>
 *
 * A press shows at once and is sent in the background; a failed request restores the previous state. A second press
 * retracts the feedback. The feedback of this browser, or of `user-id`, reappears after a reload. Attributes, events,
 * parts and slots: README, "Buttons", and the types in feedback-buttons.d.ts.
 *
 * It has no inline style and no markup from strings: it works with `default-src 'none'` and Trusted Types.
 */

import { browserSubject } from "./feedback-client.js";
import { beaconFeedback, readFeedback, retractFeedback, submitFeedback, tokenSource } from "./feedback-tokens.js";

const TEXTS = {
  label: "Rate this answer",
  positive: "Good answer",
  negative: "Bad answer",
  stars: ["1 star", "2 stars", "3 stars", "4 stars", "5 stars"],
  reasons: "What was wrong?",
  comment: "Anything to add?",
  send: "Send",
  close: "Close",
  open: "Add a comment",
  thanks: "Thank you.",
  commented: "Thank you. Your comment is saved.",
  retracted: "Your feedback was removed.",
  failed: "That was not saved.",
  expired: "This feedback link has expired. Thanks anyway!",
};
const ATTRIBUTES = {
  src: "src", positiveSrc: "positive-src", negativeSrc: "negative-src", type: "type", comment: "comment",
  userId: "user-id", label: "label", positiveLabel: "positive-label", negativeLabel: "negative-label",
  reasons: "reasons", categories: "categories", feedbackToken: "feedback-token", server: "server",
};
const LISTS = new Set(["reasons", "categories"]);
const BINDING = new Set(["src", "positive-src", "negative-src", "user-id", "type", "feedback-token", "server"]);
const MAX_COMMENT = 4000; // characters; within the server's limit in bytes for any script
const THUMB =
  "M7 10v11H4a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1zm0 0 4-7.2c1.5 0 2.6 1.1 2.6 2.6V9h5.3a2 2 0 0 1 2 2.3l-1.3 8a2 2 0 0 1-2 1.7H7";
const STAR = "m12 3 2.8 5.8 6.2.9-4.5 4.4 1.1 6.2L12 17.3l-5.6 3 1.1-6.2L3 9.7l6.2-.9z";
const STYLE = `
:host { display: block; font: inherit; color: inherit;
  --_accent: var(--feedback-accent, light-dark(#4b3bc4, #b5abff));
  --_on-accent: var(--feedback-on-accent, light-dark(#ffffff, #17131f));
  --_star: var(--feedback-star, light-dark(#b45309, #fbbf24));
  --_line: var(--feedback-line, light-dark(#8a869e, #77738c));
  --_size: var(--feedback-size, 2rem); --_radius: var(--feedback-radius, .6rem); --_gap: var(--feedback-gap, .25rem) }
:host([hidden]), [hidden] { display: none !important }
.row, .reasons, .actions { display: flex; flex-wrap: wrap; align-items: center; gap: var(--_gap) }
button, textarea { font: inherit; color: inherit; margin: 0; border-radius: var(--_radius) }
button { display: inline-flex; align-items: center; justify-content: center; gap: .4em; min-width: var(--_size); min-height: var(--_size);
  padding: .25rem .4rem; border: 1px solid transparent; background: none; cursor: pointer }
button:disabled { cursor: default; opacity: .55 }
button:not(:disabled):hover { border-color: var(--_line) }
button:focus-visible, textarea:focus-visible { outline: 3px solid var(--_accent); outline-offset: 2px }
[aria-pressed="true"]:not(.star) { background: var(--_accent); color: var(--_on-accent) }
[aria-pressed="true"].star { border-color: var(--_star) }
.filled { color: var(--_star) }
svg { width: 1.25em; height: 1.25em; fill: none; stroke: currentColor; stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round }
.negative svg { transform: rotate(180deg) }
.filled svg, .thumb[aria-pressed="true"] svg { fill: currentColor }
.category, .reason, .send, .close { padding: .25rem .75rem; border-color: var(--_line) }
.reason[aria-pressed="true"]::before, .category[aria-pressed="true"]::before { content: "\\2713"; content: "\\2713" / "" }
.send { background: var(--_accent); color: var(--_on-accent); border-color: transparent }
form { display: grid; gap: .5rem; margin: .5rem 0 0; max-width: 28rem }
textarea { box-sizing: border-box; width: 100%; min-height: 4.5rem; padding: .5rem; border: 1px solid var(--_line); background: transparent; resize: vertical; display: block }
label { display: grid; gap: .25rem }
.status { margin: .25rem 0 0; min-height: 1.2em; font-size: .9em }
@media (prefers-reduced-motion: no-preference) { button { transition: background-color .12s, border-color .12s } }
@media (forced-colors: active) {
  button { border-color: ButtonBorder } .filled { color: Highlight }
  [aria-pressed="true"] { forced-color-adjust: none; background: Highlight; color: HighlightText; border-color: Highlight } }
`;
let sheet;

/** The element's class; defined below as `feedback-buttons`, unless that name is already taken. */
export class FeedbackButtons extends (globalThis.HTMLElement ?? class {}) { // undefined in server-side rendering
  static observedAttributes = [...Object.values(ATTRIBUTES), "disabled"];

  #texts = TEXTS;
  #kept = null; // the known state of the server: { choice, comment, reasons, src }
  #shown = null; // the shown state, to which the server is brought
  #config = null; // the configuration of the `src`'s feedback key, if the server sent it
  #restoring; // the promise of the stored feedback, once requested
  #working = false;
  #binding = 0; // increases when the element gets other URLs: pending work for the old ones is dropped
  #isOpen = false;
  #built = ""; // the fingerprint of the last build
  #draft = [];
  #scheduled = false;
  #seen;
  #parts = {};

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    sheet ??= styled();
    root.adoptedStyleSheets = [sheet];
    root.addEventListener("keydown", (event) => this.#onKey(event));
    this.#frame(root);
  }

  connectedCallback() {
    for (const name of [...Object.keys(ATTRIBUTES), "disabled", "texts"]) this.#upgrade(name);
    addEventListener("pagehide", this.#onLeaving);
    addEventListener("pageshow", this.#onReturning);
    this.#watch();
    this.#schedule();
  }

  disconnectedCallback() {
    removeEventListener("pagehide", this.#onLeaving);
    removeEventListener("pageshow", this.#onReturning);
    this.#seen?.disconnect();
  }

  attributeChangedCallback(name, before, after) {
    if (before === after) return;
    if (BINDING.has(name)) this.#bind();
    this.#schedule();
  }

  /** The shown feedback: `{ choice, comment, reasons }`, or null. */
  get answer() {
    return this.#shown && { choice: this.#shown.choice, comment: this.#shown.comment, reasons: [...this.#shown.reasons] };
  }

  /** Texts in another language, by name; omitted ones stay English. */
  get texts() {
    return this.#texts;
  }
  set texts(texts) {
    this.#texts = { ...TEXTS, ...texts };
    this.#built = "";
    this.#schedule();
  }

  get disabled() {
    return this.hasAttribute("disabled");
  }
  set disabled(is) {
    this.toggleAttribute("disabled", Boolean(is));
  }

  /** Reloads the feedback from the server. */
  async restore() {
    this.#restoring = this.#read(this.#binding);
    await this.#restoring;
  }

  // Binding

  get #kind() {
    return ["stars", "categories"].includes(this.type) && this.src ? this.type : "thumbs"; // a run's token: thumbs only
  }
  /** The URL for all choices: a presigned one, or the source of a run's token. */
  get #src() {
    return this.src || (this.feedbackToken && tokenSource(this.feedbackToken, this.server || undefined));
  }
  get #subject() {
    return this.userId || browserSubject();
  }
  get #sources() {
    const all = this.#kind === "thumbs" ? [this.positiveSrc, this.negativeSrc, this.#src] : [this.#src];
    return [...new Set(all.filter(Boolean))];
  }
  get #isSeveral() {
    return this.#kind === "categories" && Boolean(this.#config?.allows_multiple_categories);
  }
  /** The choices; none without a URL. */
  get #choices() {
    if (this.#kind === "thumbs") return ["positive", "negative"].filter((choice) => this.#sourceOf(choice));
    if (!this.#src) return [];
    if (this.#kind === "stars") return [1, 2, 3, 4, 5];
    if (this.categories.length > 0) return this.categories;
    return (this.#config?.categories ?? []).map(nameOf);
  }

  /** The URL of a choice. */
  #sourceOf(choice) {
    if (this.#kind !== "thumbs") return this.#src;
    return (choice === "positive" ? this.positiveSrc : this.negativeSrc) || this.#src;
  }

  #bind() {
    this.#binding += 1;
    this.#parts.row.hidden = false;
    this.#kept = this.#shown = this.#config = null;
    this.#restoring = undefined;
    this.#isOpen = false;
    this.#draft = [];
    this.#parts.text.value = "";
    this.#say("");
    this.#watch();
  }

  /** Loads the stored feedback when the element nears the viewport, so that a long chat loads only the visible part. */
  #watch() {
    this.#seen?.disconnect();
    this.#seen = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting) || this.#sources.length === 0) return;
      this.#seen.disconnect();
      this.#restored().catch(() => {}); // reported by an event; the next press tries again
    }, { rootMargin: "50%" });
    if (this.isConnected) this.#seen.observe(this);
  }

  #restored() {
    this.#restoring ??= this.#read(this.#binding);
    return this.#restoring;
  }

  async #read(binding) {
    try {
      const options = { userId: this.#subject };
      const states = await Promise.all(this.#sources.map(async (src) => ({ src, ...(await readFeedback(src, options)) })));
      if (binding !== this.#binding) return;
      this.#config = states.find((state) => state.src === this.#src)?.feedback_config ?? null;
      const given = states.filter((state) => state.answer).sort((a, b) => (a.answer.modified_at < b.answer.modified_at ? 1 : -1));
      const found = given.length > 0 ? this.#understood(given[0]) : null;
      const isUntouched = this.#shown === this.#kept;
      this.#kept = found;
      if (isUntouched) this.#shown = found;
      this.#draft = [...(this.#shown?.reasons ?? [])];
      this.#parts.text.value ||= this.#shown?.comment ?? "";
      this.#schedule();
    } catch (error) {
      if (binding !== this.#binding) return;
      this.#restoring = undefined;
      if (isExpired(error)) this.#expire();
      this.#tell("feedback-error", { action: "restore", error });
      throw error;
    }
  }

  /** Returns the choice of the server's feedback; null if it is none of the choices. */
  #understood({ src, answer }) {
    const choice = this.#choiceOf(src, answer);
    if (choice === null) return null;
    return { src, choice, comment: answer.comment ?? "", reasons: answer.metadata?.reasons ?? [] };
  }

  #choiceOf(src, { score, value }) {
    if (this.#kind === "stars") return [1, 2, 3, 4, 5].includes(score) ? score : null;
    if (this.#kind === "categories") return this.#categoriesOf(value ?? score);
    if (src === this.positiveSrc) return Number(score) > 0 ? "positive" : null;
    if (src === this.negativeSrc) return Number(score) > 0 ? "negative" : null;
    return score === null ? null : Number(score) > 0 ? "positive" : "negative";
  }

  #categoriesOf(value) {
    if (value === null) return null;
    const named = value.labels?.map((label, at) => label ?? String(value.values[at])) ?? [String(value)];
    return this.#isSeveral ? named : named[0];
  }

  /** Returns a category's value in submissions: its label, or its number if it has none. */
  #categoryOf(choice) {
    return this.#config?.categories?.find((one) => !one.label && nameOf(one) === choice)?.value ?? choice;
  }

  /** Returns the submission of the shown state. */
  #answerOf({ choice, comment, reasons }) {
    const answer = { comment: comment || undefined, metadata: reasons.length > 0 ? { reasons } : undefined };
    if (this.#kind === "stars") return { score: choice, ...answer };
    if (this.#kind === "categories") {
      const value = Array.isArray(choice) ? choice.map((one) => this.#categoryOf(one)) : this.#categoryOf(choice);
      return { value, ...answer };
    }
    return { score: choice === "negative" && !this.negativeSrc ? 0 : 1, ...answer };
  }

  // Input

  #press(choice) {
    if (this.disabled || this.#sources.length === 0) return;
    const chosen = this.#toggled(choice);
    if (chosen === null) return this.#want(null);
    const keeps = this.#shown && this.#sideOf(this.#shown.choice) === this.#sideOf(chosen);
    const { comment, reasons } = keeps ? this.#shown : { comment: "", reasons: [] };
    if (!keeps) {
      this.#parts.text.value = "";
      this.#draft = [];
    }
    const isTaken = this.#want({ choice: chosen, comment, reasons, src: this.#sourceOf(chosen) });
    if (isTaken) this.#isOpen = this.#asks(chosen) && !comment;
    this.#schedule();
  }

  #toggled(choice) {
    const before = this.#shown?.choice;
    if (!this.#isSeveral) return before === choice ? null : choice;
    const now = toggled(before ?? [], choice);
    return now.length > 0 ? now : null;
  }

  /** Choices of the same side share a comment; a comment on a thumb-down is dropped for a thumb-up. */
  #sideOf(choice) {
    if (this.#kind === "categories") return this.#isSeveral ? "several" : choice;
    return this.#isNegative(choice) ? "negative" : "positive";
  }
  #isNegative(choice) {
    return choice === "negative" || (this.#kind === "stars" && choice <= 2);
  }
  #takesComment(choice) {
    return this.comment === "always" || (this.comment !== "never" && this.#isNegative(choice));
  }
  #takesReasons(choice) {
    return this.reasons.length > 0 && this.#isNegative(choice);
  }
  #asks(choice) {
    return this.#takesComment(choice) || this.#takesReasons(choice);
  }

  /** Shows and sends the wanted state, unless a listener to `feedback-submit` prevents it. */
  #want(wanted, isComment = false) {
    const detail = wanted ? { action: "submit", src: wanted.src, answer: this.#answerOf(wanted) } : { action: "retract", src: this.#shown.src };
    if (!this.#tell("feedback-submit", detail, true)) return false;
    this.#shown = wanted && { ...wanted, answer: detail.answer, isComment };
    if (!wanted) this.#isOpen = false;
    this.#say("");
    this.#schedule();
    this.#bring();
    return true;
  }

  /** Brings the server to the shown state, one request after the other; on an error it shows the server's state. */
  async #bring() {
    if (this.#working) return;
    this.#working = true;
    const binding = this.#binding;
    while (binding === this.#binding && this.#kept !== this.#shown) {
      const wanted = this.#shown;
      try {
        await this.#restored();
        await this.#step(wanted, binding);
      } catch (error) {
        if (binding === this.#binding && wanted === this.#shown) this.#rollBack(error);
      }
    }
    this.#working = false;
    this.#schedule();
    if (this.#kept !== this.#shown) this.#bring(); // for URLs that were set in the meantime
  }

  async #step(wanted, binding) {
    if (binding !== this.#binding) return;
    const options = { userId: this.#subject };
    const before = this.#kept;
    let result = { id: null, status: "unchanged" };
    if (before && before.src !== wanted?.src) {
      result = await retractFeedback(before.src, options); // first: both thumbs are never stored at once
      if (binding !== this.#binding) return;
      this.#kept = null;
    }
    if (wanted) result = await submitFeedback(wanted.src, wanted.answer, options);
    if (binding !== this.#binding) return;
    this.#kept = wanted;
    if (this.#shown !== wanted) return; // the user has changed the selection in the meantime
    this.#say(wanted ? (wanted.isComment ? this.#texts.commented : this.#texts.thanks) : this.#texts.retracted);
    this.#tell("feedback-success", { action: wanted ? "submit" : "retract", answer: wanted?.answer, result });
  }

  #rollBack(error) {
    const failed = this.#shown;
    this.#shown = this.#kept;
    this.#isOpen = this.#isOpen && this.#shown !== null && this.#asks(this.#shown.choice);
    if (failed?.isComment && this.#shown) this.#isOpen = true; // with the written text still in it
    if (isExpired(error)) this.#expire();
    else this.#say(`${this.#texts.failed} ${error.message}`, true);
    this.#tell("feedback-error", { action: failed ? "submit" : "retract", answer: failed?.answer, error });
  }

  /** Shows that the URL accepts no feedback any more, in place of buttons that could only fail. */
  #expire() {
    this.#isOpen = false;
    this.#parts.row.hidden = true;
    this.#say(this.#texts.expired);
    this.#schedule();
  }

  // Comment

  #drafted() {
    const { choice } = this.#shown;
    const comment = this.#takesComment(choice) ? this.#parts.text.value.trim() : this.#shown.comment;
    return { ...this.#shown, comment, reasons: this.#takesReasons(choice) ? this.#draft : [] };
  }

  #sendComment() {
    if (!this.#shown || this.disabled) return;
    if (this.#want(this.#drafted(), true)) this.#close();
  }

  #open() {
    this.#isOpen = true;
    this.#update();
    this.#parts.form.querySelector(":is(textarea, button):not([hidden] *)").focus();
  }

  /** Closes the comment; the focus returns to the choice. */
  #close() {
    this.#isOpen = false;
    const isInside = this.#parts.form.contains(this.shadowRoot.activeElement);
    this.#update();
    if (isInside) this.#parts.row.querySelector('[aria-pressed="true"]')?.focus();
  }

  #onKey(event) {
    if (event.key === "Escape" && this.#isOpen) {
      event.stopPropagation();
      this.#close();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target === this.#parts.text) {
      this.#parts.form.requestSubmit();
    }
  }

  /** Hands unsent comments and unstored choices to the browser, which sends them as the page closes. */
  #onLeaving = () => {
    if (this.disabled) return;
    if (!this.#shown) {
      if (this.#kept) retractFeedback(this.#kept.src, { userId: this.#subject }).catch(() => {});
      return;
    }
    const last = this.#isOpen ? this.#drafted() : this.#shown;
    const isSaid = (one) => JSON.stringify([one.choice, one.comment, one.reasons]);
    if (this.#kept && isSaid(last) === isSaid(this.#kept)) return;
    const detail = { action: "submit", src: last.src, answer: this.#answerOf(last) };
    if (this.#tell("feedback-submit", detail, true)) beaconFeedback(last.src, detail.answer, { userId: this.#subject });
  };

  #onReturning = (event) => {
    if (event.persisted) this.restore().catch(() => {});
  };

  // Rendering

  #frame(root) {
    const parts = this.#parts;
    parts.choices = made("span", { class: "row" });
    parts.more = pressable("more", "", () => (this.#isOpen ? this.#close() : this.#open()), { "aria-controls": "comment" });
    parts.row = made("div", { class: "row", part: "group", role: "group" }, parts.choices, parts.more);
    parts.reasons = made("div", { class: "reasons", part: "reasons", role: "group" });
    parts.caption = made("span", { part: "caption" });
    parts.text = made("textarea", { part: "textarea", rows: "3", maxlength: String(MAX_COMMENT), dir: "auto" });
    parts.label = made("label", {}, parts.caption, parts.text);
    parts.send = made("button", { type: "submit", class: "send", part: "button send" });
    parts.close = pressable("close", "", () => this.#close());
    const actions = made("div", { class: "actions" }, parts.send, parts.close);
    parts.form = made("form", { part: "comment", id: "comment" }, parts.reasons, parts.label, actions);
    parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#sendComment();
    });
    parts.status = made("p", { class: "status", part: "status", role: "status" });
    root.append(parts.row, parts.form, parts.status);
  }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#update();
    });
  }

  #update() {
    const parts = this.#parts;
    this.#build();
    const choice = this.#shown?.choice;
    const chosen = this.#shown ? [choice].flat() : [];
    mark(parts.choices, chosen);
    mark(parts.reasons, this.#draft);
    if (this.#kind === "stars") {
      for (const star of parts.choices.children) star.classList.toggle("filled", star.choice <= choice);
    }
    const asks = this.#shown !== null && this.#asks(choice);
    const isOpen = asks && this.#isOpen;
    parts.more.hidden = !asks;
    parts.more.setAttribute("aria-expanded", String(isOpen));
    parts.form.hidden = !isOpen;
    parts.reasons.hidden = !asks || !this.#takesReasons(choice);
    parts.label.hidden = !asks || !this.#takesComment(choice);
    const { disabled } = this;
    for (const one of this.shadowRoot.querySelectorAll("button:not(.close), textarea")) one.disabled = disabled;
  }

  /** Rebuilds the buttons if the choices or their texts have changed. */
  #build() {
    const form = JSON.stringify([this.#kind, this.#choices, this.reasons, this.label, this.positiveLabel, this.negativeLabel]);
    if (form === this.#built) return;
    this.#built = form;
    const [parts, texts] = [this.#parts, this.#texts];
    parts.row.setAttribute("aria-label", this.label || texts.label);
    parts.reasons.setAttribute("aria-label", texts.reasons);
    parts.caption.textContent = texts.comment;
    for (const name of ["more", "send", "close"]) parts[name].textContent = texts[name === "more" ? "open" : name];
    parts.choices.replaceChildren(...this.#choices.map((choice) => this.#choiceButton(choice)));
    parts.reasons.replaceChildren(...this.reasons.map((reason) => pressable("reason", reason, () => this.#toggleReason(reason))));
  }

  #choiceButton(choice) {
    const press = () => this.#press(choice);
    if (this.#kind === "categories") return pressable("category", choice, press);
    const own = { positive: this.positiveLabel, negative: this.negativeLabel }[choice];
    const label = own || this.#texts[choice] || this.#texts.stars[choice - 1];
    const names = { "aria-label": label, title: label };
    if (this.#kind === "stars") return pressable("star", choice, press, names, icon(STAR));
    return pressable(`thumb ${choice}`, choice, press, names, made("slot", { name: choice }, icon(THUMB)));
  }

  #toggleReason(reason) {
    this.#draft = toggled(this.#draft, reason);
    this.#update();
  }

  #say(text, isFailure = false) {
    this.#parts.status.textContent = text;
    this.#parts.status.setAttribute("part", isFailure ? "status failure" : "status");
  }

  #tell(name, detail, cancelable = false) {
    return this.dispatchEvent(new CustomEvent(name, { detail, cancelable, bubbles: true, composed: true }));
  }

  /** Sets properties again that were set before the element was defined, so that their setters run. */
  #upgrade(name) {
    if (!Object.hasOwn(this, name)) return;
    const value = this[name];
    delete this[name];
    this[name] = value;
  }
}

for (const [property, attribute] of Object.entries(ATTRIBUTES)) {
  const isList = LISTS.has(property);
  Object.defineProperty(FeedbackButtons.prototype, property, {
    get() {
      const text = this.getAttribute(attribute) ?? "";
      return isList ? listed(text) : text;
    },
    set(value) {
      if (value === null || value === undefined) this.removeAttribute(attribute);
      else this.setAttribute(attribute, Array.isArray(value) ? JSON.stringify(value) : value);
    },
    enumerable: true,
    configurable: true,
  });
}

/** Parses a list attribute: comma-separated, or a JSON array for items with commas. */
function listed(text) {
  if (text.trim().startsWith("[")) {
    try {
      return JSON.parse(text).map(String);
    } catch {} // not JSON: parsed as comma-separated
  }
  return text.split(",").map((one) => one.trim()).filter(Boolean);
}

function nameOf({ label, value }) {
  return label ?? String(value);
}

function toggled(list, one) {
  return list.includes(one) ? list.filter((other) => other !== one) : [...list, one];
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

function icon(path) {
  const [svg, line] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  const attributes = { viewBox: "0 0 24 24", "aria-hidden": "true", part: "icon" };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

function styled() {
  const made = new CSSStyleSheet();
  made.replaceSync(STYLE);
  return made;
}

if (globalThis.customElements && !customElements.get("feedback-buttons")) customElements.define("feedback-buttons", FeedbackButtons);

/** Whether the server has answered that a URL has expired, was revoked or has no uses left. */
function isExpired(error) {
  return error.status === 410;
}

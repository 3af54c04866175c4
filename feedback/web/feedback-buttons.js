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
 * It has no inline style and no markup from strings: it works with `default-src 'none'` and Trusted Types. Its modules:
 * -choices (submissions), -state (the server), -view (the shadow tree), -style and -texts.
 */

import { Choices, toggled } from "./feedback-buttons-choices.js";
import { FeedbackState, isExpired } from "./feedback-buttons-state.js";
import { TEXTS } from "./feedback-buttons-texts.js";
import { View } from "./feedback-buttons-view.js";
import { browserSubject } from "./feedback-client.js";

const ATTRIBUTES = {
  src: "src", positiveSrc: "positive-src", negativeSrc: "negative-src", type: "type", comment: "comment",
  userId: "user-id", label: "label", positiveLabel: "positive-label", negativeLabel: "negative-label",
  reasons: "reasons", categories: "categories", feedbackToken: "feedback-token", server: "server",
};
const LISTS = new Set(["reasons", "categories"]);
const BINDING = new Set(["src", "positive-src", "negative-src", "user-id", "type", "feedback-token", "server"]);

/** The element's class; defined below as `feedback-buttons`, unless that name is already taken. */
export class FeedbackButtons extends (globalThis.HTMLElement ?? class {}) { // undefined in server-side rendering
  static observedAttributes = [...Object.values(ATTRIBUTES), "disabled"];

  #texts = TEXTS;
  #choices = new Choices(this);
  #state = new FeedbackState(this.#choices, () => this.userId || browserSubject(), {
    loaded: () => this.#onLoaded(),
    changed: () => this.#schedule(),
    stored: (wanted, result) => this.#onStored(wanted, result),
    failed: (action, wanted, error) => this.#onFailed(action, wanted, error),
  });
  #view;
  #isOpen = false;
  #draft = []; // the reasons that are pressed
  #built = ""; // the fingerprint of the last build
  #isScheduled = false;
  #seen;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    root.addEventListener("keydown", (event) => this.#onKey(event));
    this.#view = new View(root, {
      press: (choice) => this.#press(choice),
      reason: (reason) => this.#toggleReason(reason),
      more: () => (this.#isOpen ? this.#close() : this.#open()),
      close: () => this.#close(),
      send: () => this.#sendComment(),
    });
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
    const { shown } = this.#state;
    return shown && { choice: shown.choice, comment: shown.comment, reasons: [...shown.reasons] };
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
    await this.#state.restore();
  }

  // Binding

  #bind() {
    this.#state.bind();
    this.#isOpen = false;
    this.#draft = [];
    this.#view.row.hidden = false;
    this.#view.text.value = "";
    this.#view.say("");
    this.#watch();
  }

  /** Loads the stored feedback when the element nears the viewport, so that a long chat loads only the visible part. */
  #watch() {
    this.#seen?.disconnect();
    this.#seen = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting) || this.#choices.sources.length === 0) return;
      this.#seen.disconnect();
      this.#state.restored().catch(() => {}); // reported by an event; the next press tries again
    }, { rootMargin: "50%" });
    if (this.isConnected) this.#seen.observe(this);
  }

  // Reports of the state

  #onLoaded() {
    const { shown } = this.#state;
    this.#draft = [...(shown?.reasons ?? [])];
    this.#view.text.value ||= shown?.comment ?? "";
    this.#schedule();
  }

  #onStored(wanted, result) {
    const texts = this.#texts;
    this.#view.say(wanted ? (wanted.isComment ? texts.commented : texts.thanks) : texts.retracted);
    this.#tell("feedback-success", { action: wanted ? "submit" : "retract", answer: wanted?.answer, result });
  }

  #onFailed(action, wanted, error) {
    if (action !== "restore") {
      const { shown } = this.#state;
      this.#isOpen = this.#isOpen && shown !== null && this.#choices.asks(shown.choice);
      if (wanted?.isComment && shown) this.#isOpen = true; // with the written text still in it
      this.#view.say(`${this.#texts.failed} ${error.message}`, true);
    }
    if (isExpired(error)) this.#expire();
    this.#tell("feedback-error", { action, answer: wanted?.answer, error });
    this.#schedule();
  }

  /** Shows that the URL accepts no feedback any more, in place of buttons that could only fail. */
  #expire() {
    this.#isOpen = false;
    this.#view.row.hidden = true;
    this.#view.say(this.#texts.expired);
    this.#schedule();
  }

  // Input

  #press(choice) {
    if (this.disabled || this.#choices.sources.length === 0) return;
    const { shown } = this.#state;
    const chosen = this.#choices.after(shown?.choice, choice);
    if (chosen === null) return this.#want(null);
    const keeps = shown && this.#choices.sideOf(shown.choice) === this.#choices.sideOf(chosen);
    const { comment, reasons } = keeps ? shown : { comment: "", reasons: [] };
    if (!keeps) {
      this.#view.text.value = "";
      this.#draft = [];
    }
    const isTaken = this.#want({ choice: chosen, comment, reasons, src: this.#choices.sourceOf(chosen) });
    if (isTaken) this.#isOpen = this.#choices.asks(chosen) && !comment;
    this.#schedule();
  }

  #toggleReason(reason) {
    this.#draft = toggled(this.#draft, reason);
    this.#update();
  }

  /** Shows and sends the wanted feedback, unless a listener to `feedback-submit` prevents it. */
  #want(wanted, isComment = false) {
    const answer = wanted && this.#choices.submissionOf(wanted);
    const detail = wanted ? { action: "submit", src: wanted.src, answer } : { action: "retract", src: this.#state.shown.src };
    if (!this.#tell("feedback-submit", detail, true)) return false;
    if (!wanted) this.#isOpen = false;
    this.#view.say("");
    this.#schedule();
    this.#state.want(wanted && { ...wanted, answer: detail.answer, isComment });
    return true;
  }

  // Comment

  #drafted() {
    const { shown } = this.#state;
    const comment = this.#choices.takesComment(shown.choice) ? this.#view.text.value.trim() : shown.comment;
    return { ...shown, comment, reasons: this.#choices.takesReasons(shown.choice) ? this.#draft : [] };
  }

  #sendComment() {
    if (!this.#state.shown || this.disabled) return;
    if (this.#want(this.#drafted(), true)) this.#close();
  }

  #open() {
    this.#isOpen = true;
    this.#update();
    this.#view.focusForm();
  }

  /** Closes the comment; the focus returns to the choice. */
  #close() {
    this.#isOpen = false;
    const isInside = this.#view.hasFocusInForm;
    this.#update();
    if (isInside) this.#view.focusChoice();
  }

  #onKey(event) {
    if (event.key === "Escape" && this.#isOpen) {
      event.stopPropagation();
      this.#close();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target === this.#view.text) {
      this.#view.form.requestSubmit();
    }
  }

  /** Hands unsent comments and unstored choices to the browser, which sends them as the page closes. */
  #onLeaving = () => {
    const { shown, kept } = this.#state;
    if (this.disabled) return;
    if (!shown) return this.#state.retractLast();
    const last = this.#isOpen ? this.#drafted() : shown;
    const isSaid = (one) => JSON.stringify([one.choice, one.comment, one.reasons]);
    if (kept && isSaid(last) === isSaid(kept)) return;
    const detail = { action: "submit", src: last.src, answer: this.#choices.submissionOf(last) };
    if (this.#tell("feedback-submit", detail, true)) this.#state.beacon(last.src, detail.answer);
  };

  #onReturning = (event) => {
    if (event.persisted) this.restore().catch(() => {});
  };

  // Rendering

  #schedule() {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#update();
    });
  }

  #update() {
    this.#build();
    const { shown } = this.#state;
    const [choices, choice] = [this.#choices, shown?.choice];
    const any = shown !== null && choices.asks(choice);
    const asks = { any, comment: any && choices.takesComment(choice), reasons: any && choices.takesReasons(choice) };
    const chosen = shown ? [choice].flat() : [];
    this.#view.update({ chosen, reasons: this.#draft, asks, isOpen: any && this.#isOpen, disabled: this.disabled });
  }

  /** Rebuilds the buttons if the choices or their texts have changed. */
  #build() {
    const { kind, all } = this.#choices;
    const { reasons, positiveLabel, negativeLabel } = this;
    const form = JSON.stringify([kind, all, reasons, this.label, positiveLabel, negativeLabel]);
    if (form === this.#built) return;
    this.#built = form;
    const texts = this.#texts;
    const own = { positive: positiveLabel, negative: negativeLabel };
    const labels = (choice) => own[choice] || texts[choice] || texts.stars[choice - 1];
    this.#view.build({ kind, all, labels, reasons, label: this.label || texts.label, texts });
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

if (globalThis.customElements && !customElements.get("feedback-buttons")) customElements.define("feedback-buttons", FeedbackButtons);

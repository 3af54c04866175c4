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
import { FeedbackState } from "./feedback-buttons-state.js";
import { languageOf, reasonOf, textsIn } from "./feedback-buttons-texts.js";
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
  static observedAttributes = [...Object.values(ATTRIBUTES), "disabled", "lang"];

  #ownTexts = {};
  #choices = new Choices(this);
  #state = new FeedbackState(this.#choices, () => this.userId || browserSubject(), {
    loaded: () => this.#onLoaded(),
    changed: () => this.#schedule(),
    stored: (wanted, result) => this.#onStored(wanted, result),
    failed: (action, wanted, error) => this.#onFailed(action, wanted, error),
  });
  #view;
  #isOpen = false;
  #drafts = new Map(); // comments that were typed and not sent, by the side of their choice
  #statusTexts = []; // the names of the texts in the status line
  #renewal = null; // of an expired URL: { action, wanted, isAsking }
  #built = ""; // the fingerprint of the last build
  #isScheduled = false;
  #seen;
  #language = globalThis.MutationObserver && new MutationObserver(() => this.#schedule());

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    root.addEventListener("keydown", (event) => this.#onKey(event));
    this.#view = new View(root, {
      press: (choice) => this.#press(choice),
      reason: (reason) => this.#pressReason(reason),
      more: () => (this.#isOpen ? this.#close() : this.#open()),
      close: () => this.#close(),
      send: () => this.#sendComment(),
    });
  }

  connectedCallback() {
    for (const name of [...Object.keys(ATTRIBUTES), "disabled", "texts"]) this.#upgrade(name);
    this.#language.observe(document.documentElement, { attributeFilter: ["lang"] });
    addEventListener("pagehide", this.#onLeaving);
    addEventListener("pageshow", this.#onReturning);
    this.#watch();
    this.#schedule();
  }

  disconnectedCallback() {
    removeEventListener("pagehide", this.#onLeaving);
    removeEventListener("pageshow", this.#onReturning);
    this.#seen?.disconnect();
    this.#language.disconnect();
  }

  attributeChangedCallback(name, before, after) {
    if (before === after) return;
    if (BINDING.has(name)) this.#bind();
    this.#schedule();
  }

  /** The shown feedback: `{ choice, comment, reasons }`, or null. */
  get feedback() {
    const { shown } = this.#state;
    return shown && { choice: shown.choice, comment: shown.comment, reasons: [...shown.reasons] };
  }

  /** The texts by name: those of the closest `lang`, English for others; those that were set replace single ones. */
  get texts() {
    return { ...textsIn(languageOf(this)), ...this.#ownTexts };
  }
  set texts(texts) {
    this.#ownTexts = { ...texts };
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
    this.#drafts.clear();
    this.#view.row.hidden = false;
    this.#view.text.value = "";
    this.#showStatus();
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
    this.#renewal = null;
    this.#view.text.value ||= this.#state.shown?.comment ?? "";
    this.#schedule();
  }

  #onStored(wanted, result) {
    this.#showStatus(wanted ? (wanted.isComment && wanted.comment ? "commented" : "thanks") : "retracted");
    this.#tell("feedback-success", { action: wanted ? "submit" : "retract", submission: wanted?.submission, result });
  }

  #onFailed(action, wanted, error) {
    if (error.status === 410 && this.refresh && this.#isRenewed(action, wanted, error)) return;
    if (action !== "restore") {
      const { shown } = this.#state;
      if (this.#sideOf(shown) !== this.#sideOf(wanted)) this.#fill();
      this.#isOpen = this.#isOpen && shown !== null && this.#choices.asks(shown.choice);
      if (wanted?.isComment && shown) this.#isOpen = true; // with the written text still in it
      this.#showStatus("failed", reasonOf(error));
    }
    if (error.status === 410) this.#expire();
    this.#tell("feedback-error", { action, submission: wanted?.submission, error });
    this.#schedule();
  }

  /** Whether `refresh` is asked for a fresh URL; not a second time if the fresh one has expired, too. */
  #isRenewed(action, wanted, error) {
    if (!this.#renewal) {
      this.#renewal = { action, wanted, isAsking: true };
      this.#renew(error);
    } else if (action !== "restore") {
      Object.assign(this.#renewal, { action, wanted });
    }
    return this.#renewal.isAsking;
  }

  /** Binds the element to what `refresh` returns, and sends again what the expired URL did not take. */
  async #renew(error) {
    const renewal = this.#renewal;
    const fresh = await Promise.resolve().then(() => this.refresh()).catch(() => undefined);
    renewal.isAsking = false;
    const { action, wanted } = renewal;
    if (!fresh) return this.#onFailed(action, wanted, error);
    const [typed, drafts] = [this.#view.text.value, this.#drafts];
    this.#drafts = new Map(); // binding forgets the drafts of another run
    Object.assign(this, typeof fresh === "string" ? { src: fresh } : fresh);
    this.#drafts = drafts;
    if (wanted) this.#want({ ...wanted, src: this.#choices.sourceOf(wanted.choice) }, wanted.isComment);
    this.#view.text.value = typed;
    if (action !== "retract") return;
    await this.#state.restored().catch(() => {}); // reported by an event
    if (this.#state.shown) this.#want(null);
  }

  /** Shows that the URL accepts no feedback any more, in place of buttons that could only fail. */
  #expire() {
    this.#isOpen = false;
    this.#view.row.hidden = true;
    this.#showStatus("expired");
    this.#schedule();
  }

  // Input

  #press(choice) {
    if (this.disabled || this.#choices.sources.length === 0) return;
    const { shown } = this.#state;
    const chosen = this.#choices.after(shown?.choice, choice);
    const keeps = shown && chosen !== null && this.#sideOf(shown) === this.#choices.sideOf(chosen);
    const { comment, reasons } = keeps ? shown : { comment: "", reasons: [] };
    const wanted = chosen === null ? null : { choice: chosen, comment, reasons, src: this.#choices.sourceOf(chosen) };
    if (!keeps) this.#setDraftAside();
    if (!this.#want(wanted)) return;
    if (!keeps) this.#fill();
    if (wanted) this.#isOpen = this.#choices.asks(chosen) && !comment;
    this.#schedule();
  }

  /** Sends the reasons as they are pressed; what is typed in the comment stays until it is sent. */
  #pressReason(reason) {
    const { shown } = this.#state;
    if (shown && !this.disabled) this.#want({ ...shown, reasons: toggled(shown.reasons, reason) });
  }

  /** Shows and sends the wanted feedback, unless a listener to `feedback-submit` prevents it. */
  #want(wanted, isComment = false) {
    const submission = wanted && this.#choices.submissionOf(wanted);
    const detail = wanted ? { action: "submit", src: wanted.src, submission } : { action: "retract", src: this.#state.shown.src };
    if (!this.#tell("feedback-submit", detail, true)) return false;
    if (!wanted) this.#isOpen = false;
    this.#showStatus();
    this.#state.want(wanted && { ...wanted, submission: detail.submission, isComment });
    return true;
  }

  // Comment

  #sideOf(feedback) {
    return feedback && this.#choices.sideOf(feedback.choice);
  }

  /** Whether there is a typed comment that was not sent. */
  get #hasDraft() {
    const { shown } = this.#state;
    return Boolean(shown) && this.#choices.takesComment(shown.choice) && this.#view.text.value.trim() !== shown.comment;
  }

  /** Keeps a draft for the case that its choice is pressed again. */
  #setDraftAside() {
    if (this.#hasDraft) this.#drafts.set(this.#sideOf(this.#state.shown), this.#view.text.value);
  }

  /** Puts the draft of the shown choice into the box, or else its stored comment. */
  #fill() {
    const { shown } = this.#state;
    const side = this.#sideOf(shown);
    this.#view.text.value = this.#drafts.get(side) ?? shown?.comment ?? "";
    this.#drafts.delete(side);
  }

  #drafted() {
    const { shown } = this.#state;
    return this.#choices.takesComment(shown.choice) ? { ...shown, comment: this.#view.text.value.trim() } : shown;
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

  /** Closes the comment; a draft stays in it, and the status line says so. The focus returns to the choice. */
  #close() {
    this.#isOpen = false;
    if (this.#hasDraft) this.#showStatus("draft");
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
    const detail = { action: "submit", src: last.src, submission: this.#choices.submissionOf(last) };
    if (this.#tell("feedback-submit", detail, true)) this.#state.beacon(last.src, detail.submission);
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
    const { texts } = this;
    this.#build(texts);
    const { shown } = this.#state;
    const [choices, choice] = [this.#choices, shown?.choice];
    const any = shown !== null && choices.asks(choice);
    const asks = { any, comment: any && choices.takesComment(choice), reasons: any && choices.takesReasons(choice) };
    const chosen = shown ? [choice].flat() : [];
    const more = texts[this.#hasDraft ? "resume" : shown?.comment ? "edit" : "open"];
    const { disabled } = this;
    this.#view.update({ chosen, reasons: shown?.reasons ?? [], asks, more, isOpen: any && this.#isOpen, disabled });
    this.#view.showStatus(this.#statusTexts.map((name) => texts[name]).join(" "), this.#statusTexts[0] === "failed");
  }

  /** Rebuilds the buttons if the choices or their texts have changed. */
  #build(texts) {
    const { kind, all } = this.#choices;
    const { reasons, positiveLabel, negativeLabel } = this;
    const language = languageOf(this);
    const label = this.label || this.#ownTexts.label || this.#choices.questionIn(language) || texts.label;
    const categories = kind === "categories" ? all.map((choice) => this.#choices.labelOf(choice, language)) : [];
    const form = JSON.stringify([kind, all, categories, reasons, label, positiveLabel, negativeLabel, texts]);
    if (form === this.#built) return;
    this.#built = form;
    const own = { positive: positiveLabel, negative: negativeLabel };
    const labels = (choice) => categories[all.indexOf(choice)] ?? (own[choice] || texts[choice] || texts.stars[choice - 1]);
    this.#view.build({ kind, all, labels, reasons, label, texts });
  }

  /** Shows texts in the status line, by name: in the language of the moment, also when that changes. */
  #showStatus(...names) {
    this.#statusTexts = names;
    this.#schedule();
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

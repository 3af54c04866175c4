/** The choices of <feedback-buttons>: what can be pressed, and which submission a choice is. */

import { tokenSource } from "./feedback-tokens.js";

// The scale goes along with the score, so that the server knows 1 of 5 stars from a thumb up.
const STARS = [1, 5];
const THUMBS = [0, 1];

export class Choices {
  /** The configuration of the `src`'s feedback key, if the server sent it. */
  config = null;
  #bound;

  /** `bound` is the element, whose attributes are read as they are at each call. */
  constructor(bound) {
    this.#bound = bound;
  }

  /** `thumbs`, `stars` or `categories`; a run's token accepts thumbs only. */
  get kind() {
    const { type, src } = this.#bound;
    return ["stars", "categories"].includes(type) && src ? type : "thumbs";
  }

  /** The URL for all choices: a presigned one, or the source of a run's token. */
  get src() {
    const { src, feedbackToken, server } = this.#bound;
    return src || (feedbackToken && tokenSource(feedbackToken, server || undefined));
  }

  /** All URLs. */
  get sources() {
    const { positiveSrc, negativeSrc } = this.#bound;
    const all = this.kind === "thumbs" ? [positiveSrc, negativeSrc, this.src] : [this.src];
    return [...new Set(all.filter(Boolean))];
  }

  get areSeveral() {
    return this.kind === "categories" && Boolean(this.config?.allows_multiple_categories);
  }

  /** All choices; none without a URL. */
  get all() {
    if (this.kind === "thumbs") return ["positive", "negative"].filter((choice) => this.sourceOf(choice));
    if (!this.src) return [];
    if (this.kind === "stars") return [1, 2, 3, 4, 5];
    const { categories } = this.#bound;
    return categories.length > 0 ? categories : (this.config?.categories ?? []).map(nameOf);
  }

  /** Returns a category's label in the language, or else as the feedback key has it. */
  labelOf(choice, language) {
    return this.#textsIn(language).labels?.[choice] || choice;
  }

  /** Returns the feedback key's question, or else its title, in the language; undefined if it has none. */
  questionIn(language) {
    const texts = this.#textsIn(language);
    return texts.question || this.config?.question || texts.title || this.config?.title;
  }

  /** The key's texts in a language such as `de-AT`, or else in `de`. */
  #textsIn(language) {
    const wanted = language.toLowerCase();
    const all = Object.entries(this.config?.translations ?? {});
    const named = (name) => all.find(([one]) => one.toLowerCase() === name)?.[1];
    return named(wanted) ?? named(wanted.split("-")[0]) ?? {};
  }

  /** Returns the URL of a choice. */
  sourceOf(choice) {
    if (this.kind !== "thumbs") return this.src;
    const { positiveSrc, negativeSrc } = this.#bound;
    return (choice === "positive" ? positiveSrc : negativeSrc) || this.src;
  }

  /** Returns what is chosen after a press: the choice, the list of choices, or null if the press retracts. */
  after(before, choice) {
    if (!this.areSeveral) return before === choice ? null : choice;
    const now = toggled(before ?? [], choice);
    return now.length > 0 ? now : null;
  }

  /** Returns the choice that the server's feedback is; null if it is none. */
  choiceOf(src, { score, value }) {
    const { positiveSrc, negativeSrc } = this.#bound;
    if (this.kind === "stars") return [1, 2, 3, 4, 5].includes(score) ? score : null;
    if (this.kind === "categories") return this.#categoriesOf(value ?? score);
    if (src === positiveSrc) return Number(score) > 0 ? "positive" : null;
    if (src === negativeSrc) return Number(score) > 0 ? "negative" : null;
    return score === null ? null : Number(score) > 0 ? "positive" : "negative";
  }

  #categoriesOf(value) {
    if (value === null) return null;
    const named = value.labels?.map((label, at) => label ?? String(value.values[at])) ?? [String(value)];
    return this.areSeveral ? named : named[0];
  }

  /** Returns the submission of a choice with its comment and reasons. */
  submissionOf({ choice, comment, reasons }) {
    const rest = { comment: comment || undefined, metadata: reasons.length > 0 ? { reasons } : undefined };
    if (this.kind === "stars") return { score: choice, scale: STARS, ...rest };
    if (this.kind === "categories") {
      const value = Array.isArray(choice) ? choice.map((one) => this.#valueOf(one)) : this.#valueOf(choice);
      return { value, ...rest };
    }
    return { score: choice === "negative" && !this.#bound.negativeSrc ? 0 : 1, scale: THUMBS, ...rest };
  }

  /** Returns a category's value in submissions: its label, or its number if it has none. */
  #valueOf(choice) {
    return this.config?.categories?.find((one) => !one.label && nameOf(one) === choice)?.value ?? choice;
  }

  /** Returns the side of a choice. Choices of one side share comment and reasons; another side starts without. */
  sideOf(choice) {
    if (this.kind === "categories") return this.areSeveral ? "several" : choice;
    return this.#isNegative(choice) ? "negative" : "positive";
  }

  #isNegative(choice) {
    return choice === "negative" || (this.kind === "stars" && choice <= 2);
  }

  takesComment(choice) {
    const { comment } = this.#bound;
    return comment === "always" || (comment !== "never" && this.#isNegative(choice));
  }

  takesReasons(choice) {
    return this.#bound.reasons.length > 0 && this.#isNegative(choice);
  }

  /** Whether there is anything to ask after the choice. */
  asks(choice) {
    return this.takesComment(choice) || this.takesReasons(choice);
  }
}

/** Returns the list with `one` added, or without it if it was in it. */
export function toggled(list, one) {
  return list.includes(one) ? list.filter((other) => other !== one) : [...list, one];
}

function nameOf({ label, value }) {
  return label ?? String(value);
}

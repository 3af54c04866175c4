/** The state of <feedback-buttons>: the feedback that the server has, the shown feedback, and how they become equal. */

import { beaconFeedback, readFeedback, retractFeedback, submitFeedback } from "./feedback-tokens.js";

/**
 * A piece of feedback is `{ choice, comment, reasons, src }`, or null for none. The reports are methods of the owner:
 * `loaded()`, `changed()`, `stored(wanted, result)`, `failed(action, wanted, error)`.
 */
export class FeedbackState {
  kept = null; // the server's, as far as it is known
  shown = null; // the shown feedback, to which the server is brought
  #choices;
  #subject;
  #reports;
  #restoring; // the promise of the stored feedback, once requested
  #isWorking = false;
  #binding = 0; // increases when the element gets other URLs: pending work for the old ones is dropped

  /** `subject` is a function that returns the user's id. */
  constructor(choices, subject, reports) {
    this.#choices = choices;
    this.#subject = subject;
    this.#reports = reports;
  }

  /** Forgets everything: the URLs or the user have changed. */
  bind() {
    this.#binding += 1;
    this.kept = this.shown = this.#choices.config = null;
    this.#restoring = undefined;
  }

  /** Loads the stored feedback, unless it is loaded. */
  restored() {
    this.#restoring ??= this.#read(this.#binding);
    return this.#restoring;
  }

  /** Loads the stored feedback again. */
  restore() {
    this.#restoring = this.#read(this.#binding);
    return this.#restoring;
  }

  async #read(binding) {
    try {
      const options = { userId: this.#subject() };
      const { sources, src: shared } = this.#choices;
      const states = await Promise.all(sources.map(async (src) => ({ src, ...(await readFeedback(src, options)) })));
      if (binding !== this.#binding) return;
      this.#choices.config = states.find(({ src }) => src === shared)?.feedback_config ?? null;
      const given = states.filter(({ feedback }) => feedback).sort((a, b) => (a.feedback.modified_at < b.feedback.modified_at ? 1 : -1));
      const found = given.length > 0 ? this.#understood(given[0]) : null;
      const isUntouched = this.shown === this.kept;
      this.kept = found;
      if (isUntouched) this.shown = found;
      this.#reports.loaded();
    } catch (error) {
      if (binding !== this.#binding) return;
      this.#restoring = undefined;
      this.#reports.failed("restore", undefined, error);
      throw error;
    }
  }

  /** Returns the server's feedback as ours; null if it is none of the choices. */
  #understood({ src, feedback }) {
    const choice = this.#choices.choiceOf(src, feedback);
    if (choice === null) return null;
    return { src, choice, comment: feedback.comment ?? "", reasons: feedback.metadata?.reasons ?? [] };
  }

  /** Shows `wanted`, and brings the server to it in the background. */
  want(wanted) {
    this.shown = wanted;
    this.#bring();
  }

  /** Brings the server to the shown state, one request after the other; on an error it shows the server's state. */
  async #bring() {
    if (this.#isWorking) return;
    this.#isWorking = true;
    const binding = this.#binding;
    while (binding === this.#binding && this.kept !== this.shown) {
      const wanted = this.shown;
      try {
        await this.restored();
        await this.#step(wanted, binding);
      } catch (error) {
        if (binding === this.#binding && wanted === this.shown) this.#rollBack(error);
      }
    }
    this.#isWorking = false;
    this.#reports.changed();
    if (this.kept !== this.shown) this.#bring(); // for URLs that were set in the meantime
  }

  async #step(wanted, binding) {
    if (binding !== this.#binding) return;
    const options = { userId: this.#subject() };
    const before = this.kept;
    let result = { id: null, status: "unchanged" };
    if (before && before.src !== wanted?.src) {
      result = await retractFeedback(before.src, options); // first: both thumbs are never stored at once
      if (binding !== this.#binding) return;
      this.kept = null;
    }
    if (wanted) result = await submitFeedback(wanted.src, wanted.submission, options);
    if (binding !== this.#binding) return;
    this.kept = wanted;
    if (this.shown === wanted) this.#reports.stored(wanted, result); // else the user has changed the selection
  }

  #rollBack(error) {
    const failed = this.shown;
    this.shown = this.kept;
    this.#reports.failed(failed ? "submit" : "retract", failed, error);
  }

  /** Hands a submission to the browser, which sends it as the page closes. */
  beacon(src, submission) {
    beaconFeedback(src, submission, { userId: this.#subject() });
  }

  /** Retracts stored feedback that is no longer shown, as the page closes. */
  retractLast() {
    if (this.kept) retractFeedback(this.kept.src, { userId: this.#subject() }).catch(() => {});
  }
}

/** One conversation: loads its newest turns at once and earlier ones on request. */

import { newId } from "/feedback/feedback-client.js";
import { element } from "./element.js";
import { answersIn, textOf } from "./messages.js";
import { messagesOf, runsOf } from "./server.js";
import { Turn } from "./turn.js";

const PAGE = 20; // turns
const WORKING = new Set(["pending", "running"]);

export class Conversation {
  /** The list element with only this conversation's turns, also while the page shows another one. */
  element = element("ol", { className: "turns" });
  /** Whether there are earlier turns than those shown. */
  hasOlder = false;
  /** The turn whose run is active, if there is one. */
  working = undefined;
  #turns = [];
  #answers = new Map();
  #paging;
  #offset = 0; // the number of newer runs than those not read yet

  /** Calls `onVote` for each stored vote, and `onChange` when a turn starts or ends, with its error. */
  constructor(id, onVote, onChange) {
    this.id = id;
    this.onVote = onVote;
    this.onChange = onChange;
  }

  /** Shows the newest turns. Messages are read after the runs, so that they include the answers of ended runs. */
  async restore() {
    const runs = await runsOf(this.id, PAGE + 1);
    this.#answers = answersIn(await messagesOf(this.id));
    this.#show(runs);
  }

  /** Shows a page of earlier turns; resolves to their number. Concurrent calls share one request. */
  older() {
    this.#paging ??= this.#readOlder().finally(() => (this.#paging = undefined));
    return this.#paging;
  }

  async #readOlder() {
    const before = this.#turns.length;
    this.#show(await runsOf(this.id, PAGE + 1, this.#offset));
    return this.#turns.length - before;
  }

  /** Sends a question and resolves at the answer's end; removes a question that could not be sent. */
  async ask(text) {
    const turn = new Turn(this.id, { id: newId(), text }, this.onVote);
    this.#turns.push(turn);
    this.element.append(turn.element);
    this.#offset += 1;
    await this.#watch(turn, turn.ask());
    if (turn.runId) return;
    this.#turns.splice(this.#turns.indexOf(turn), 1);
    turn.element.remove();
    this.#offset -= 1;
  }

  /** Stops reading; active runs continue. */
  leave() {
    for (const turn of this.#turns) turn.leave();
  }

  /** Inserts runs, newest first, before the shown turns; skips duplicates that new runs shifted onto this page. */
  #show(runs) {
    this.hasOlder = runs.length > PAGE;
    const page = runs.slice(0, PAGE);
    this.#offset += page.length;
    const known = new Set(this.#turns.map(({ runId }) => runId));
    for (const run of page) if (!known.has(run.run_id)) this.#restoreTurn(run);
  }

  #restoreTurn({ run_id, status, kwargs }) {
    const question = kwargs.input?.messages?.at(-1);
    if (!question) return;
    const turn = new Turn(this.id, { id: question.id, text: textOf(question) }, this.onVote);
    this.#turns.unshift(turn);
    this.element.prepend(turn.element);
    if (WORKING.has(status)) this.#watch(turn, turn.join(run_id));
    else turn.show(run_id, this.#answers.get(question.id), status);
  }

  async #watch(turn, reading) {
    this.working = turn;
    this.onChange(this, turn);
    const error = await reading.then(() => undefined, (wrong) => wrong);
    if (this.working === turn) this.working = undefined;
    this.onChange(this, turn, error);
  }
}

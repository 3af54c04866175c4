/** One conversation: its turns, the newest of them at once, those before them when asked for. */

import { newId } from "/feedback/feedback-client.js";
import { element } from "./element.js";
import { answersIn, textOf } from "./messages.js";
import { messagesOf, runsOf } from "./server.js";
import { Turn } from "./turn.js";

const PAGE = 20; // turns
const WORKING = new Set(["pending", "running"]);

export class Conversation {
  /** A list with nothing in it but this conversation's turns, whatever else the page shows meanwhile. */
  element = element("ol", { className: "turns" });
  /** Whether there are turns before those that are shown. */
  hasOlder = false;
  /** The turn that is being answered, if there is one. */
  working = undefined;
  #turns = [];
  #answers = new Map();
  #paging;
  #offset = 0; // runs that are newer than those that have not been read yet

  /** `onVote` is told of every vote that was kept, `onChange` of a turn whose work began or ended, and why it failed. */
  constructor(id, onVote, onChange) {
    this.id = id;
    this.onVote = onVote;
    this.onChange = onChange;
  }

  /** Shows its newest turns. The messages are read after the runs, so that what has ended has its answer there. */
  async restore() {
    const runs = await runsOf(this.id, PAGE + 1);
    this.#answers = answersIn(await messagesOf(this.id));
    this.#show(runs);
  }

  /** Shows some of the turns before those that are shown; resolves to how many. Asked again meanwhile, it is the same. */
  older() {
    this.#paging ??= this.#readOlder().finally(() => (this.#paging = undefined));
    return this.#paging;
  }

  async #readOlder() {
    const before = this.#turns.length;
    this.#show(await runsOf(this.id, PAGE + 1, this.#offset));
    return this.#turns.length - before;
  }

  /** Asks the agent, to the answer's end; what could not be asked is not shown any more. */
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

  /** Reads no more; what is at work goes on. */
  leave() {
    for (const turn of this.#turns) turn.leave();
  }

  /** Puts runs, the newest first, before what is shown; without those that came between, and moved the pages. */
  #show(runs) {
    this.hasOlder = runs.length > PAGE;
    const page = runs.slice(0, PAGE);
    this.#offset += page.length;
    const known = new Set(this.#turns.map(({ runId }) => runId));
    for (const run of page) if (!known.has(run.run_id)) this.#restoreTurn(run);
  }

  #restoreTurn({ run_id, status, kwargs }) {
    const asked = kwargs.input?.messages?.at(-1);
    if (!asked) return;
    const turn = new Turn(this.id, { id: asked.id, text: textOf(asked) }, this.onVote);
    this.#turns.unshift(turn);
    this.element.prepend(turn.element);
    if (WORKING.has(status)) this.#watch(turn, turn.join(run_id));
    else turn.show(run_id, this.#answers.get(asked.id), status);
  }

  async #watch(turn, reading) {
    this.working = turn;
    this.onChange(this, turn);
    const error = await reading.then(() => undefined, (wrong) => wrong);
    if (this.working === turn) this.working = undefined;
    this.onChange(this, turn, error);
  }
}

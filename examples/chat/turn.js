/** One question and its answer: streamed, stopped, failed, or as it was kept; and the thumbs below it. */

import { joinRun, readRunFeedback, streamRun } from "/feedback/feedback-client.js";
import { element } from "./element.js";
import { markdown } from "./markdown.js";
import { answersIn, textOf } from "./messages.js";
import { cancel, keyHeaders, runFor } from "./server.js";

const KEYS = ["user_score"];
const REASONS = "Wrong, Not funny, Too long";
const WORDS = {
  error: "The agent failed at this answer. Ask again, or ask something else.",
  timeout: "This answer took too long. Ask again, or ask something else.",
  interrupted: "You stopped this answer.",
  busy: "This conversation is at work on another answer. Wait for its end, then send this again.",
  lost: "The connection was lost. Connecting again …",
};

export class Turn {
  #text = "";
  #speaking; // the id of the message that the text is of
  #answer = element("div", { className: "answer" });
  #state = element("p", { className: "state", hidden: true });
  #buttons;
  #reading = new AbortController();
  #isStopped = false;

  /** `question` has a `text` and an `id`; `onVote` is told of every vote that was kept. */
  constructor(threadId, question, onVote) {
    this.threadId = threadId;
    this.question = question;
    this.runId = undefined;
    this.onVote = onVote;
    const asked = element("p", { className: "asked" }, element("span", { className: "unseen" }, "You asked: "), question.text);
    this.element = element("li", { className: "turn" }, asked, this.#answer, this.#state);
  }

  get text() {
    return this.#text;
  }

  /** Asks the agent; resolves at the answer's end. An `Error` where it could not be asked or heard to its end. */
  async ask() {
    const { id, text } = this.question;
    await this.#follow(this.#once(streamRun({
      ...this.#connection(),
      assistantId: "agent",
      input: { messages: [{ role: "user", content: text, id }] },
      streamMode: ["messages-tuple", "values"],
      feedbackKeys: KEYS,
      body: { metadata: { question: id }, multitask_strategy: "reject" },
    })));
  }

  /**
   * The parts of the one run that answers the question, even if the connection was lost before the page heard of it.
   *
   * Browsers send a request again, on their own, when a connection that they had before ends without a byte. The server
   * may have begun a run by then, and would queue another behind it; so it is told to refuse, and the run is looked for.
   */
  async *#once(parts) {
    try {
      yield* parts;
    } catch (error) {
      if (this.runId) throw error;
      this.runId = await runFor(this.threadId, this.question.id).catch(() => undefined);
      if (!this.runId) throw error.status === 409 ? new Error(WORDS.busy, { cause: error }) : error;
      yield* joinRun({ ...this.#connection(), runId: this.runId });
    }
  }

  /** Goes on reading a run that was begun before. */
  async join(runId) {
    this.runId = runId;
    await this.#follow(joinRun({ ...this.#connection(), runId }));
  }

  /** Shows an answer that was kept, if there is one, with how its run ended. */
  async show(runId, message, status) {
    this.runId = runId;
    if (message) this.#hear(message);
    if (WORDS[status]) this.#say(WORDS[status], status !== "interrupted");
    this.#placeButtons();
    await this.#bindAfresh();
  }

  /** Ends the run; one that is not known yet, as soon as it is. */
  async stop() {
    this.#isStopped = true;
    if (this.runId) await cancel(this.threadId, this.runId);
    this.#say(WORDS.interrupted);
  }

  /** Reads no more; the run goes on. */
  leave() {
    this.#reading.abort(new Error("left"));
  }

  #connection() {
    const onConnection = (state) => (state === "lost" ? this.#say(WORDS.lost) : this.#say(""));
    const { signal } = this.#reading;
    return { threadId: this.threadId, headers: keyHeaders(), signal, silenceSeconds: 20, reconnects: 60, onConnection };
  }

  async #follow(parts) {
    this.element.classList.add("streaming");
    try {
      for await (const part of parts) this.#take(part);
    } catch (error) {
      if (this.#reading.signal.aborted) return;
      this.#say(error.message, true);
      throw error;
    } finally {
      this.element.classList.remove("streaming");
    }
    if (this.runId && !this.#buttons) await this.#bindAfresh();
  }

  #take({ event, data }) {
    if (event === "metadata") {
      this.runId = data.run_id;
      if (this.#isStopped) cancel(this.threadId, this.runId).catch((error) => this.#say(error.message, true));
      if (data.attempt > 1) this.#write(""); // another process took the run up, and begins its answer anew
    } else if (event === "messages") {
      if (data[0].type === "AIMessageChunk") this.#hear(data[0], data[0].id === this.#speaking ? this.#text : "");
    } else if (event === "values") {
      const whole = answersIn(data.messages ?? []).get(this.question.id);
      if (whole) this.#hear(whole);
    } else if (event === "feedback") {
      this.#bind(data.user_score);
    } else if (event === "error" && !this.#state.textContent) {
      this.#say(data.error === "UserInterrupt" ? WORDS.interrupted : WORDS.error, data.error !== "UserInterrupt");
    }
  }

  async #bindAfresh() {
    try {
      const { threadId, runId } = this;
      const { urls } = await readRunFeedback({ threadId, runId, keys: KEYS, headers: keyHeaders() });
      this.#bind(urls.user_score);
    } catch {
      this.#say("The thumbs of this answer could not be had. Reload the page to try again.");
    }
  }

  #bind(url) {
    if (!url) return;
    this.#placeButtons();
    this.#buttons.setAttribute("src", url);
  }

  /** Puts the thumbs where they are to be; without a URL there is nothing to press, and nothing moves once there is. */
  #placeButtons() {
    if (this.#buttons) return;
    const buttons = element("feedback-buttons");
    buttons.setAttribute("reasons", REASONS);
    buttons.addEventListener("feedback-success", () => this.onVote());
    buttons.addEventListener("click", () => requestAnimationFrame(() => buttons.scrollIntoView({ block: "nearest" })));
    buttons.addEventListener("feedback-error", ({ detail }) => {
      if (detail.error.code === "token_expired") this.#bindAfresh();
    });
    this.#buttons = buttons;
    this.element.append(buttons);
  }

  /** Shows a message, or the part of it that comes after `before`. Tokens never go behind those of another message. */
  #hear(message, before = "") {
    this.#speaking = message.id;
    this.#write(before + textOf(message));
  }

  /** Shows a text. Blocks that are there already stay, with whatever somebody has selected in them. */
  #write(text) {
    this.#text = text;
    const blocks = markdown(text);
    const shown = [...this.#answer.children];
    const same = shown.findIndex((one, at) => !blocks[at]?.isEqualNode(one));
    const kept = same < 0 ? shown.length : same;
    for (const one of shown.slice(kept)) one.remove();
    this.#answer.append(...blocks.slice(kept));
  }

  #say(words, isWrong = false) {
    this.#state.textContent = words;
    this.#state.hidden = !words;
    this.#state.classList.toggle("wrong", isWrong);
  }
}

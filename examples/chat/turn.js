/** One question with its answer (streaming, stopped, failed or stored) and its thumbs. */

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
  #speaking; // the id of the text's message
  #answer = element("div", { className: "answer" });
  #state = element("p", { className: "state", hidden: true });
  #buttons;
  #reading = new AbortController();
  #isStopped = false;

  /** `question` has a `text` and an `id`; `onVote` is called for each stored vote. */
  constructor(threadId, question, onVote) {
    this.threadId = threadId;
    this.question = question;
    this.runId = undefined;
    this.onVote = onVote;
    const shown = element("p", { className: "question" }, element("span", { className: "unseen" }, "You asked: "), question.text);
    this.element = element("li", { className: "turn" }, shown, this.#answer, this.#state);
  }

  get text() {
    return this.#text;
  }

  /** Sends the question; resolves at the answer's end. Errors: `Error` if sending or streaming fails. */
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
   * Yields the parts of the question's run, even if the connection was lost before the page received the run's id.
   *
   * Browsers repeat a request on their own if a reused connection closes before the first byte of the response. The
   * server may have started a run by then and would queue another one; so the request asks it to
   * reject a second run, and this method looks up the first.
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

  /** Resumes reading a run that started earlier. */
  async join(runId) {
    this.runId = runId;
    await this.#follow(joinRun({ ...this.#connection(), runId }));
  }

  /** Shows the stored answer, if there is one, and how its run ended. */
  async show(runId, message, status) {
    this.runId = runId;
    if (message) this.#receive(message);
    if (WORDS[status]) this.#announce(WORDS[status], status !== "interrupted");
    this.#placeButtons();
    await this.#bindAfresh();
  }

  /** Cancels the run, as soon as its id is known. */
  async stop() {
    this.#isStopped = true;
    if (this.runId) await cancel(this.threadId, this.runId);
    this.#announce(WORDS.interrupted);
  }

  /** Stops reading; the run continues. */
  leave() {
    this.#reading.abort(new Error("left"));
  }

  #connection() {
    const onConnection = (state) => (state === "lost" ? this.#announce(WORDS.lost) : this.#announce(""));
    const { signal } = this.#reading;
    return { threadId: this.threadId, headers: keyHeaders(), signal, silenceSeconds: 20, reconnects: 60, onConnection };
  }

  async #follow(parts) {
    this.element.classList.add("streaming");
    try {
      for await (const part of parts) this.#take(part);
    } catch (error) {
      if (this.#reading.signal.aborted) return;
      this.#announce(error.message, true);
      throw error;
    } finally {
      this.element.classList.remove("streaming");
    }
    if (this.runId && !this.#buttons) await this.#bindAfresh();
  }

  #take({ event, data }) {
    if (event === "metadata") {
      this.runId = data.run_id;
      if (this.#isStopped) cancel(this.threadId, this.runId).catch((error) => this.#announce(error.message, true));
      if (data.attempt > 1) this.#write(""); // another process took over the run and restarts its answer
    } else if (event === "messages") {
      if (data[0].type === "AIMessageChunk") this.#receive(data[0], data[0].id === this.#speaking ? this.#text : "");
    } else if (event === "values") {
      const whole = answersIn(data.messages ?? []).get(this.question.id);
      if (whole) this.#receive(whole);
    } else if (event === "feedback") {
      this.#bind(data.user_score);
    } else if (event === "error" && !this.#state.textContent) {
      this.#announce(data.error === "UserInterrupt" ? WORDS.interrupted : WORDS.error, data.error !== "UserInterrupt");
    }
  }

  async #bindAfresh() {
    try {
      this.#bind(await this.#freshUrl());
    } catch {
      this.#announce("The thumbs of this answer could not be loaded. Reload the page to try again.");
    }
  }

  async #freshUrl() {
    const { threadId, runId } = this;
    return (await readRunFeedback({ threadId, runId, keys: KEYS, headers: keyHeaders() })).urls.user_score;
  }

  #bind(url) {
    if (!url) return;
    this.#placeButtons();
    this.#buttons.setAttribute("src", url);
  }

  /** Places the thumbs. They reserve their space while there is no URL, so that nothing moves later. */
  #placeButtons() {
    if (this.#buttons) return;
    const buttons = element("feedback-buttons");
    buttons.setAttribute("reasons", REASONS);
    buttons.addEventListener("feedback-success", () => this.onVote());
    buttons.addEventListener("click", () => requestAnimationFrame(() => buttons.scrollIntoView({ block: "nearest" })));
    buttons.refresh = () => this.#freshUrl();
    this.#buttons = buttons;
    this.element.append(buttons);
  }

  /** Shows a message, or appends its part after `before`. Tokens are never appended to another message's. */
  #receive(message, before = "") {
    this.#speaking = message.id;
    this.#write(before + textOf(message));
  }

  /** Shows a text. Unchanged blocks keep their elements, so that text selections survive. */
  #write(text) {
    this.#text = text;
    const blocks = markdown(text);
    const shown = [...this.#answer.children];
    const same = shown.findIndex((one, at) => !blocks[at]?.isEqualNode(one));
    const kept = same < 0 ? shown.length : same;
    for (const one of shown.slice(kept)) one.remove();
    this.#answer.append(...blocks.slice(kept));
  }

  #announce(words, isWrong = false) {
    this.#state.textContent = words;
    this.#state.hidden = !words;
    this.#state.classList.toggle("wrong", isWrong);
  }
}

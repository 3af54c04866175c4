/** One question and its answer: streamed, stopped, failed, or as it was kept; and the thumbs below it. */

import { joinRun, readRunFeedback, streamRun } from "/feedback/feedback-client.js";
import { element } from "./element.js";
import { markdown } from "./markdown.js";
import { cancel } from "./server.js";

const KEYS = ["user_score"];
const REASONS = "Wrong, Not funny, Too long";
const WORDS = {
  error: "The agent failed at this answer. Ask again, or ask something else.",
  timeout: "This answer took too long. Ask again, or ask something else.",
  interrupted: "You stopped this answer.",
  lost: "The connection was lost. Connecting again …",
};

export class Turn {
  #text = "";
  #answer = element("div", { className: "answer" });
  #state = element("p", { className: "state", hidden: true });
  #reading = new AbortController();
  #isStopped = false;

  /** `onVote` is told of every vote that was kept. */
  constructor(threadId, question, onVote) {
    this.threadId = threadId;
    this.question = question;
    this.runId = undefined;
    this.onVote = onVote;
    const asked = element("p", { className: "asked" }, element("span", { className: "unseen" }, "You asked: "), question);
    this.element = element("li", { className: "turn" }, asked, this.#answer, this.#state);
  }

  get text() {
    return this.#text;
  }

  /** Asks the agent; resolves at the answer's end. */
  async ask(id) {
    await this.#follow(streamRun({
      ...this.#connection(),
      assistantId: "agent",
      input: { messages: [{ role: "user", content: this.question, id }] },
      streamMode: ["messages-tuple", "values"],
      feedbackKeys: KEYS,
      body: { metadata: { question: id } },
    }));
  }

  /** Goes on reading a run that was begun before. */
  async join(runId) {
    this.runId = runId;
    await this.#follow(joinRun({ ...this.#connection(), runId }));
  }

  /** Shows an answer that was kept, with how its run ended. */
  async show(runId, text, status) {
    this.runId = runId;
    this.#write(text);
    if (WORDS[status]) this.#say(WORDS[status], status !== "interrupted");
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
    return { threadId: this.threadId, signal: this.#reading.signal, silenceSeconds: 20, reconnects: 60, onConnection };
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
    if (this.runId && !this.element.querySelector("feedback-buttons")) await this.#bindAfresh();
  }

  #take({ event, data }) {
    if (event === "metadata") {
      this.runId = data.run_id;
      if (this.#isStopped) cancel(this.threadId, this.runId).catch((error) => this.#say(error.message, true));
      if (data.attempt > 1) this.#write(""); // another process took the run up, and begins its answer anew
    } else if (event === "messages") {
      if (data[0].type === "AIMessageChunk") this.#write(this.#text + data[0].content);
    } else if (event === "values") {
      const last = data.messages?.at(-1);
      if (last?.type === "ai") this.#write(String(last.content));
    } else if (event === "feedback") {
      this.#bind(data.user_score);
    } else if (event === "error" && !this.#state.textContent) {
      this.#say(data.error === "UserInterrupt" ? WORDS.interrupted : WORDS.error, data.error !== "UserInterrupt");
    }
  }

  async #bindAfresh() {
    try {
      const { urls } = await readRunFeedback({ threadId: this.threadId, runId: this.runId, keys: KEYS });
      this.#bind(urls.user_score);
    } catch {
      this.#say("The thumbs of this answer could not be had. Reload the page to try again.");
    }
  }

  #bind(url) {
    if (!url) return;
    const there = this.element.querySelector("feedback-buttons");
    const buttons = there ?? element("feedback-buttons");
    buttons.setAttribute("src", url);
    if (there) return;
    buttons.setAttribute("reasons", REASONS);
    buttons.addEventListener("feedback-success", () => this.onVote());
    buttons.addEventListener("click", () => requestAnimationFrame(() => buttons.scrollIntoView({ block: "nearest" })));
    buttons.addEventListener("feedback-error", ({ detail }) => {
      if (detail.error.code === "token_expired") this.#bindAfresh();
    });
    this.element.append(buttons);
  }

  #write(text) {
    this.#text = text;
    this.#answer.replaceChildren(...markdown(text));
    this.element.dispatchEvent(new CustomEvent("grown", { bubbles: true }));
  }

  #say(words, isWrong = false) {
    this.#state.textContent = words;
    this.#state.hidden = !words;
    this.#state.classList.toggle("wrong", isWrong);
  }
}

/** A run's events as an answer that grows. */

import { joined, textOf } from "/chat/server.js";

/** What has come of an answer: its messages by their ids, in the order in which they began. */
class Coming {
  #texts = new Map();

  take(message) {
    const isPiece = String(message.type).endsWith("Chunk");
    if (!isPiece && message.type !== "ai") return;
    const before = isPiece ? (this.#texts.get(message.id) ?? "") : "";
    this.#texts.set(message.id, before + textOf(message));
  }

  clear() {
    this.#texts.clear();
  }

  get text() {
    return joined([...this.#texts.values()]);
  }
}

/**
 * Shows a run's events in a turn as they come, and returns how it ended: `{ text, urls, error, isWhole }`.
 *
 * `onStart` is told the run's id. An answer is not whole where the server no longer has all of its events.
 */
export async function follow(parts, turn, onStart) {
  const coming = new Coming();
  const ended = { text: "", urls: undefined, error: undefined, isWhole: true };
  turn.show("");
  for await (const { event, data } of parts) {
    if (event === "metadata") {
      onStart(data.run_id);
      coming.clear(); // of an attempt before this one
    } else if (event === "messages") coming.take(data[0]);
    else if (event === "feedback") ended.urls = data;
    else if (event === "error") ended.error = data.message;
    else if (event === "gap") ended.isWhole = false;
    ended.text = coming.text;
    turn.show(ended.text);
  }
  return ended;
}

/** Reads the messages of a conversation. */

/** Returns the text of a message, whose content is a string or a list of blocks of several types. */
export function textOf({ content }) {
  if (!Array.isArray(content)) return String(content ?? "");
  return content.map((block) => (typeof block === "string" ? block : block.text ?? "")).join("");
}

/** Returns the answers by question id: the agent's last message before the next question. */
export function answersIn(messages) {
  const answers = new Map();
  let question;
  for (const message of messages) {
    if (message.type === "human") question = message.id;
    else if (message.type === "ai") answers.set(question, message);
  }
  return answers;
}

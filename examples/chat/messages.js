/** What the messages of a conversation say. */

/** The text of a message; models say it as one string, or as blocks with other things between them. */
export function textOf({ content }) {
  if (!Array.isArray(content)) return String(content ?? "");
  return content.map((block) => (typeof block === "string" ? block : block.text ?? "")).join("");
}

/** The answer to each question, by the question's id: the last message of the agent before the next question. */
export function answersIn(messages) {
  const answers = new Map();
  let asked;
  for (const message of messages) {
    if (message.type === "human") asked = message.id;
    else if (message.type === "ai") answers.set(asked, message);
  }
  return answers;
}

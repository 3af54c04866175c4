/**
 * Binds the thumbs of chat frameworks (assistant-ui, CopilotKit) to presigned feedback URLs.
 *
 *   const adapters = { feedback: assistantUiFeedback({ urlsOf: (message) => message.metadata.custom.feedback }) };
 *   <CopilotChat {...copilotKitFeedback({ urlsOf: (message) => urlsByMessage.get(message.id) })} />
 *
 * `urlsOf` returns the data of the run's `feedback` event. The types are in feedback-adapters.d.ts.
 */

import { browserSubject, readFeedback, retractFeedback, submitFeedback } from "./feedback-client.js";

/** Returns the `feedback` adapter of an assistant-ui runtime. */
export function assistantUiFeedback(options) {
  const vote = voter(options);
  return {
    submit({ message, type, comment }) {
      vote(message, type, comment);
    },
  };
}

/** Returns the properties `onThumbsUp` and `onThumbsDown` of CopilotKit's chat components. */
export function copilotKitFeedback(options) {
  const vote = voter(options);
  return {
    onThumbsUp: (message, isActive = true) => vote(message, isActive ? "positive" : null),
    onThumbsDown: (message, isActive = true) => vote(message, isActive ? "negative" : null),
  };
}

/** Sends votes, sequentially for each message, so that the last one counts. */
function voter({ urlsOf, positiveKey = "user_liked", negativeKey = "user_disliked", userId, onError = console.error }) {
  const underWay = new Map();
  return (message, type, comment) => {
    const sending = (underWay.get(message.id) ?? Promise.resolve())
      .then(() => urlsOf(message))
      .then((urls) => send(urls ?? {}, type, comment))
      .catch((error) => onError(error, message));
    underWay.set(message.id, sending);
    sending.finally(() => underWay.get(message.id) === sending && underWay.delete(message.id));
  };

  async function send(urls, type, comment) {
    const whose = { userId: userId ?? browserSubject() };
    const chosen = { positive: positiveKey, negative: negativeKey }[type];
    if (chosen && !urls[chosen]) throw new Error(`This message has no feedback URL for ${chosen}; name it among the run's feedback keys`);
    const others = new Set([positiveKey, negativeKey].filter((key) => key !== chosen && urls[key]));
    for (const key of others) {
      const { feedback } = await readFeedback(urls[key], whose);
      if (feedback) await retractFeedback(urls[key], whose); // first: both thumbs are never stored at once
    }
    const score = type === "negative" && negativeKey === positiveKey ? 0 : 1;
    if (chosen) await submitFeedback(urls[chosen], { score, comment }, whose);
  }
}

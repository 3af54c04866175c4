/**
 * assistant-ui with this server: the runtime's model is an agent, and its thumbs submit to the run's feedback URLs.
 *
 *   const runtime = useLocalRuntime(agent(server), { adapters: { feedback } });
 *
 * assistant-ui shows thumbs (`ActionBarPrimitive.FeedbackPositive` and `FeedbackNegative`) if there is a feedback
 * adapter. Copy feedback-client.js, feedback-adapters.js and their .d.ts files, which the server serves below
 * /feedback/, into `feedback/` beside this file.
 */

import type { ChatModelAdapter, FeedbackAdapter, ThreadMessage } from "@assistant-ui/core";
import { assistantUiFeedback } from "./feedback/feedback-adapters.js";
import { streamRun, type FeedbackUrls } from "./feedback/feedback-client.js";

/** Returns an agent as assistant-ui's model. The run's feedback URLs are stored with its message. */
export function agent(server: string, assistantId = "agent"): ChatModelAdapter {
  return {
    async *run({ messages, abortSignal }) {
      let text = "";
      const run = streamRun({
        url: server,
        assistantId,
        input: { messages: messages.map(({ role, content }) => ({ role, content: textIn(content) })) },
        streamMode: "messages-tuple",
        feedbackKeys: ["user_liked", "user_disliked"],
        signal: abortSignal,
      });
      for await (const part of run) {
        if (part.event === "error") throw new Error(part.data.message);
        if (part.event === "messages") text += part.data[0].content;
        const custom = part.event === "feedback" ? { feedback: part.data } : {};
        yield { content: [{ type: "text", text }], metadata: { custom } };
      }
    },
  };
}

function textIn(content: ThreadMessage["content"]): string {
  return content.map((part) => (part.type === "text" ? part.text : "")).join("");
}

/** Submits votes to the message's URLs; assistant-ui itself stores them in `metadata.submittedFeedback`. */
export const feedback: FeedbackAdapter = assistantUiFeedback<ThreadMessage>({
  urlsOf: (message) => message.metadata.custom.feedback as FeedbackUrls | undefined,
});

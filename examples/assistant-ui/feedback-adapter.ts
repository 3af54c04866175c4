/**
 * assistant-ui on this server: its runtime's model is an agent here, and its thumbs go to the run's feedback URLs.
 *
 *   const runtime = useLocalRuntime(agent(server), { adapters: { feedback } });
 *
 * assistant-ui shows thumbs (`ActionBarPrimitive.FeedbackPositive` and `FeedbackNegative`) wherever there is a feedback
 * adapter. Put feedback-client.js, feedback-adapters.js and their .d.ts, which the server has below /feedback/, into
 * `feedback/` beside this file.
 */

import type { ChatModelAdapter, FeedbackAdapter, ThreadMessage } from "@assistant-ui/core";
import { assistantUiFeedback } from "./feedback/feedback-adapters.js";
import { streamRun, type FeedbackUrls } from "./feedback/feedback-client.js";

/** An agent as assistant-ui's model. The URLs of a run are kept with the message that it made. */
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

/** The vote goes to the message's URLs; assistant-ui itself remembers it in `metadata.submittedFeedback`. */
export const feedback: FeedbackAdapter = assistantUiFeedback<ThreadMessage>({
  urlsOf: (message) => message.metadata.custom.feedback as FeedbackUrls | undefined,
});

/**
 * CopilotKit's thumbs, bound to this server's feedback URLs:
 *
 *   <CopilotKit runtimeUrl="/api/copilotkit" agent="agent" properties={{ feedbackKeys: ["user_liked", "user_disliked"] }}>
 *
 *   const { agent } = useAgent();
 *   const thumbs = useMemo(() => thumbsOf(agent), [agent]);
 *   <CopilotChat {...thumbs} />
 *
 * CopilotKit's runtime reaches this server through `LangGraphAgent` of `@ag-ui/langgraph`, which forwards
 * `feedbackKeys`. The URLs arrive as the custom event `feedback` at the end of each run. Copy feedback-adapters.js and
 * its .d.ts, which the server serves below /feedback/, into `feedback/` beside this file.
 */

import { copilotKitFeedback } from "./feedback/feedback-adapters.js";

/** The used part of `Message` in `@ag-ui/core` 1.0.0. */
interface Message {
  id: string;
  role?: string;
}

/** The used part of `AbstractAgent` in `@ag-ui/client` 1.0.0. */
interface Agent {
  subscribe(subscriber: {
    onCustomEvent(given: { event: { name: string; value?: unknown } }): void;
    onRunFinishedEvent(given: { messages: readonly Message[] }): void;
  }): unknown;
}

/** Returns the properties `onThumbsUp` and `onThumbsDown` of a chat with this agent. */
export function thumbsOf(agent: Agent) {
  const urlsByMessage = new Map<string, Record<string, string>>();
  let urls: Record<string, string> | undefined;
  agent.subscribe({
    onCustomEvent({ event }) {
      if (event.name === "feedback") urls = event.value as Record<string, string>;
    },
    onRunFinishedEvent({ messages }) {
      const answer = messages.findLast((message) => message.role === "assistant");
      if (answer && urls) urlsByMessage.set(answer.id, urls);
      urls = undefined;
    },
  });
  return copilotKitFeedback<Message>({ urlsOf: (message) => urlsByMessage.get(message.id) });
}

/**
 * CopilotKit's thumbs, bound to this server's feedback URLs:
 *
 *   const thumbs = useMemo(() => thumbsFor(server, threadId, (messageId) => runs.current.get(messageId)), [threadId]);
 *   <CopilotChat {...thumbs} />
 *
 * CopilotKit's events do not carry the URLs, so they are asked for when somebody votes, by the run that made the message;
 * `runOf` is what the page remembers of it. Put feedback-client.js, feedback-adapters.js and their .d.ts, which the server
 * has below /feedback/, into `feedback/` beside this file.
 */

import { copilotKitFeedback } from "./feedback/feedback-adapters.js";
import { readRunFeedback } from "./feedback/feedback-client.js";

/** What of CopilotKit's messages is needed (`Message` in `@copilotkit/shared` 1.74.0 has more). */
interface Message {
  id: string;
}

export function thumbsFor(server: string, threadId: string, runOf: (messageId: string) => string | undefined) {
  return copilotKitFeedback<Message>({
    async urlsOf(message) {
      const runId = runOf(message.id);
      if (!runId) return undefined;
      const keys = ["user_liked", "user_disliked"];
      return (await readRunFeedback({ url: server, threadId, runId, keys })).urls;
    },
  });
}

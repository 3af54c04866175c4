/** The thumbs of chat frameworks, bound to presigned feedback URLs: assistant-ui and CopilotKit. */

import type { FeedbackUrls } from "./feedback-client.js";

export interface VoteOptions<Message extends { id: string }> {
  /** The presigned URLs of the run that made the message: what its `feedback` event gave. */
  urlsOf: (message: Message) => FeedbackUrls | undefined | Promise<FeedbackUrls | undefined>;
  /** `user_liked` if left out. With the same key for both, thumbs are its scores 1 and 0; else the pressed one's score is 1. */
  positiveKey?: string;
  /** `user_disliked` if left out. */
  negativeKey?: string;
  /** Who answers; a name made up for this browser if left out. */
  userId?: string;
  /** Told what could not be kept; `console.error` if left out. */
  onError?: (error: unknown, message: Message) => void;
}

/** What an assistant-ui runtime takes as `adapters.feedback`: `FeedbackAdapter` of `@assistant-ui/core` 0.3.20. */
export function assistantUiFeedback<Message extends { id: string }>(
  options: VoteOptions<Message>,
): { submit: (feedback: { message: Message; type: "positive" | "negative"; comment?: string }) => void };

/**
 * What `CopilotChat` and its kin take: of `CopilotChatProps` in `@copilotkit/react-ui` 1.74.0; and what
 * `CopilotChatAssistantMessage` of `@copilotkit/react-core/v2` takes, which does not say `isActive`.
 */
export function copilotKitFeedback<Message extends { id: string }>(
  options: VoteOptions<Message>,
): {
  onThumbsUp: (message: Message, isActive?: boolean) => void;
  onThumbsDown: (message: Message, isActive?: boolean) => void;
};

/** Binds the thumbs of chat frameworks (assistant-ui, CopilotKit) to presigned feedback URLs. */

import type { FeedbackUrls } from "./feedback-client.js";

export interface VoteOptions<Message extends { id: string }> {
  /** Returns the presigned URLs of the message's run: the data of its `feedback` event. */
  urlsOf: (message: Message) => FeedbackUrls | undefined | Promise<FeedbackUrls | undefined>;
  /** Default: `user_liked`. If both thumbs share a feedback key, they send 1 and 0; else the pressed one sends 1. */
  positiveKey?: string;
  /** Default: `user_disliked`. */
  negativeKey?: string;
  /** The subject; default: a generated id for this browser. */
  userId?: string;
  /** Called with errors of submissions; default: `console.error`. */
  onError?: (error: unknown, message: Message) => void;
}

/** The type of an assistant-ui runtime's `adapters.feedback`: `FeedbackAdapter` of `@assistant-ui/core` 0.3.20. */
export function assistantUiFeedback<Message extends { id: string }>(
  options: VoteOptions<Message>,
): { submit: (feedback: { message: Message; type: "positive" | "negative"; comment?: string }) => void };

/**
 * The properties of `CopilotChat` and its variants (`CopilotChatProps` in `@copilotkit/react-ui` 1.74.0), and of
 * `CopilotChatAssistantMessage` in `@copilotkit/react-core/v2`, which does not pass `isActive`.
 */
export function copilotKitFeedback<Message extends { id: string }>(
  options: VoteOptions<Message>,
): {
  onThumbsUp: (message: Message, isActive?: boolean) => void;
  onThumbsDown: (message: Message, isActive?: boolean) => void;
};

/** The texts of <feedback-buttons>. */

export const TEXTS = {
  label: "Rate this answer",
  positive: "Good answer",
  negative: "Bad answer",
  stars: ["1 star", "2 stars", "3 stars", "4 stars", "5 stars"],
  reasons: "What was wrong?",
  comment: "Anything to add?",
  send: "Send",
  close: "Close",
  open: "Add a comment",
  thanks: "Thank you.",
  commented: "Thank you. Your comment is saved.",
  retracted: "Your feedback was removed.",
  failed: "That was not saved.",
  expired: "This feedback link has expired. Thanks anyway!",
};

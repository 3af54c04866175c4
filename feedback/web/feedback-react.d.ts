/** <feedback-buttons> in React's JSX (18 and 19): `import type {} from "./feedback-react.js"`, or this file in tsconfig's `include`. */

import type { DetailedHTMLProps, HTMLAttributes } from "react";
import type {
  FeedbackButtons,
  FeedbackButtonsAttributes,
  FeedbackErrorEvent,
  FeedbackSubmitEvent,
  FeedbackSuccessEvent,
} from "./feedback-buttons.js";

/** From React 19 on; with React 18, use `addEventListener` on a ref. */
interface FeedbackButtonsListeners {
  "onfeedback-submit"?: (event: FeedbackSubmitEvent) => void;
  "onfeedback-success"?: (event: FeedbackSuccessEvent) => void;
  "onfeedback-error"?: (event: FeedbackErrorEvent) => void;
}

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "feedback-buttons": DetailedHTMLProps<HTMLAttributes<FeedbackButtons>, FeedbackButtons> &
        FeedbackButtonsAttributes &
        FeedbackButtonsListeners;
    }
  }
}

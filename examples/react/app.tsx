/**
 * A question, the agent's streamed answer, and thumbs below it, with React only.
 *
 * Fetch the modules and their types once, into `feedback/` beside this file (they have no dependencies):
 *
 *   for f in feedback-{client,tokens,buttons{,-choices,-state,-style,-texts,-view}}.js feedback-{client,buttons,react}.d.ts; do
 *     curl --create-dirs -o feedback/$f http://127.0.0.1:2024/feedback/$f; done
 *   npm install react react-dom && npx esbuild app.tsx --bundle --format=esm --jsx=automatic --outfile=app.js
 *
 * then serve app.js in a page with <main id="app" data-server="http://127.0.0.1:2024"></main>.
 */

import { useState, type FormEvent } from "react";
import { createRoot } from "react-dom/client";
import "./feedback/feedback-buttons.js";
import { streamRun, type FeedbackUrls } from "./feedback/feedback-client.js";
import type {} from "./feedback/feedback-react.js";

const FEEDBACK_KEYS = ["user_liked", "user_disliked"];

function Answer({ text, urls }: { text: string; urls?: FeedbackUrls }) {
  return (
    <section aria-label="Answer">
      <p>{text}</p>
      {urls && (
        <feedback-buttons
          positive-src={urls.user_liked}
          negative-src={urls.user_disliked}
          reasons="Not funny, Heard it before"
          onfeedback-success={({ detail }) => console.info(detail.action, detail.result.status)}
        />
      )}
    </section>
  );
}

export function App({ server }: { server: string }) {
  const [text, setText] = useState("");
  const [urls, setUrls] = useState<FeedbackUrls>();

  async function ask(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const question = String(new FormData(event.currentTarget).get("question"));
    setText("");
    setUrls(undefined);
    const run = streamRun({
      url: server,
      assistantId: "agent",
      input: { messages: [{ role: "user", content: question }] },
      streamMode: "messages-tuple",
      feedbackKeys: FEEDBACK_KEYS,
    });
    for await (const part of run) {
      if (part.event === "messages") setText((before) => before + part.data[0].content);
      if (part.event === "error") setText(`The agent failed: ${part.data.message}`);
      if (part.event === "feedback") setUrls(part.data);
    }
  }

  return (
    <>
      <form onSubmit={ask}>
        <label>
          Your question <input name="question" defaultValue="Tell me a joke about databases." />
        </label>
        <button>Ask</button>
      </form>
      <Answer text={text} urls={urls} />
    </>
  );
}

const place = document.getElementById("app");
if (place) createRoot(place).render(<App server={place.dataset.server ?? ""} />);

/** Settings: feedback keys, alert rules, API keys and projects. */

import { alertSettings } from "./alerts.js";
import { apiKeySettings } from "./apikeys.js";
import { h } from "./element.js";
import { keySettings } from "./keysettings.js";
import { failed } from "./notice.js";
import { projectSettings } from "./projects.js";

const PARTS = [
  ["Feedback keys", "What a key's scores mean, and how people are asked.", keySettings],
  ["Alert rules", "A rule notifies the webhooks when its figure is bad even at the better end of its 95 % confidence interval.", alertSettings],
  ["API keys", "Who may call this server. Its command line creates and revokes them.", apiKeySettings],
  ["Projects", "Teams or products whose feedback is kept apart.", projectSettings],
];

/** Read and draw all parts; a failed part shows its error in its place. */
export async function drawSettings(box, page, signal) {
  const parts = PARTS.map(([title, about, draw]) => {
    const content = h("div", { class: "setting" });
    const again = async () => {
      try {
        await draw(content, { page, again, signal });
      } catch (failure) {
        if (failure.name === "AbortError") return;
        content.replaceChildren(failed(failure, again));
      }
    };
    return { element: h("section", { class: "card" }, h("h3", null, title), h("p", { class: "meta" }, about), content), again };
  });
  box.replaceChildren(...parts.map((one) => one.element));
  await Promise.all(parts.map((one) => one.again()));
}

/** API keys: those of the server, by name and scope. The server's command line creates and revokes them. */

import { read } from "./api.js";
import { h } from "./element.js";
import { exact, when } from "./format.js";

/** The table of the API keys. */
export async function apiKeySettings(box, { signal }) {
  const keys = await read("feedback/api-keys", "", signal);
  const time = (text) => (text ? h("time", { datetime: text, title: exact(text) }, when(text)) : "–");
  const row = (one) => h("tr", null, h("th", { scope: "row", dir: "auto" }, `${one.name} …${one.ending}`), h("td", null, one.scopes.join(", ")), h("td", null, one.project ?? "all"),
    h("td", null, time(one.created_at)), h("td", null, one.revoked_at ? ["revoked ", time(one.revoked_at)] : time(one.expires_at)));
  if (!keys.length) return box.replaceChildren(h("p", { class: "meta" }, "This server keeps no API keys."));
  return box.replaceChildren(h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "API keys" },
    h("table", { class: "wrapped" }, h("thead", null, h("tr", null, ["Name", "Scopes", "Project", "Created", "Ends"].map((text) => h("th", { scope: "col" }, text)))), h("tbody", null, keys.map(row)))));
}

/** How the pages behind a project's links look: fields of the project's form, and what they hold. */

import { Failure } from "./api.js";
import { input, labelled, select } from "./dialog.js";
import { h } from "./element.js";

const SERVER = "As the server is set";
const LOGOS = [["server", SERVER], ["none", "No logo"]];
const QUOTES = [["", SERVER], ["true", "Quoted"], ["false", "Not quoted"]];
const MOST = 100 * 1024;

/** The fields; `pages` are those of the project, null for a new one. */
export function pageFields(pages) {
  const logos = [...(pages?.logo === "own" ? [["own", "Its own"]] : []), ...LOGOS, ["new", "Upload an image"]];
  const file = labelled("Logo file", h("input", { name: "logo_file", type: "file", accept: "image/png, image/jpeg, image/webp, image/svg+xml" }), { hint: "PNG, JPEG, WebP or SVG, at most 100 KB." });
  const logo = select("logo", logos, pages?.logo ?? "server");
  const follow = () => (file.hidden = logo.value !== "new");
  logo.addEventListener("change", follow);
  follow();
  return h("fieldset", { class: "wide fields form-fields group" }, h("legend", null, "Pages behind links in mail and chat"),
    labelled("Product", input("product", pages?.product, { maxlength: 200 }), { hint: "Its name at the top. Empty: as the server is set." }),
    labelled("Colour", input("color", pages?.color, { placeholder: "#0a7d5a", pattern: "\\s*#([0-9a-fA-F]{3}){1,2}\\s*", spellcheck: "false" }), { hint: "Of the buttons. Empty: as the server is set." }),
    labelled("Logo", logo), file,
    labelled("Agent's reply", select("quote", QUOTES, String(pages?.quote ?? "")), { hint: "Everyone who has the link can read it." }));
}

/** The pages as the form has them, for the API; fails if the logo is no file or too large. */
export async function pagesIn({ product, color, logo, logo_file, quote }) {
  const pages = { product: product.value.trim() || null, color: color.value.trim() || null, quote: quote.value === "" ? null : quote.value === "true" };
  if (logo.value === "server") pages.logo = null;
  if (logo.value === "none") pages.logo = "";
  if (logo.value === "new") pages.logo = await imageIn(logo_file.files[0]);
  return pages;
}

function imageIn(file) {
  if (!file) throw new Failure(422, "Choose an image file for the logo.");
  if (file.size > MOST) throw new Failure(422, "The logo has more than 100 KB. Choose a smaller file.");
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(new Failure(422, "The logo's file cannot be read.")));
    reader.readAsDataURL(file);
  });
}

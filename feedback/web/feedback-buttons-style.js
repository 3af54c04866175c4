/** The style sheet and the icons of <feedback-buttons>. */

const THUMB =
  "M7 10v11H4a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1zm0 0 4-7.2c1.5 0 2.6 1.1 2.6 2.6V9h5.3a2 2 0 0 1 2 2.3l-1.3 8a2 2 0 0 1-2 1.7H7";
const STAR = "m12 3 2.8 5.8 6.2.9-4.5 4.4 1.1 6.2L12 17.3l-5.6 3 1.1-6.2L3 9.7l6.2-.9z";
const STYLE = `
:host { display: block; font: inherit; color: inherit;
  --_accent: var(--feedback-accent, light-dark(#4b3bc4, #b5abff));
  --_on-accent: var(--feedback-on-accent, light-dark(#ffffff, #17131f));
  --_star: var(--feedback-star, light-dark(#b45309, #fbbf24));
  --_line: var(--feedback-line, light-dark(#8a869e, #77738c));
  --_size: var(--feedback-size, 2rem); --_radius: var(--feedback-radius, .6rem); --_gap: var(--feedback-gap, .25rem) }
:host([hidden]), [hidden] { display: none !important }
.row, .reasons, .actions { display: flex; flex-wrap: wrap; align-items: center; gap: var(--_gap) }
button, textarea { font: inherit; color: inherit; margin: 0; border-radius: var(--_radius) }
button { display: inline-flex; align-items: center; justify-content: center; gap: .4em; min-width: var(--_size); min-height: var(--_size);
  padding: .25rem .4rem; border: 1px solid transparent; background: none; cursor: pointer }
button:disabled { cursor: default; opacity: .55 }
button:not(:disabled):hover { border-color: var(--_line) }
button:focus-visible, textarea:focus-visible { outline: 3px solid var(--_accent); outline-offset: 2px }
[aria-pressed="true"] { background: var(--_accent); color: var(--_on-accent) }
[aria-checked="true"] { border-color: var(--_star) }
.filled { color: var(--_star) }
svg { width: 1.25em; height: 1.25em; fill: none; stroke: currentColor; stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round }
.negative svg { transform: rotate(180deg) }
.filled svg, .thumb[aria-pressed="true"] svg { fill: currentColor }
.category, .reason, .send, .close { padding: .25rem .75rem; border-color: var(--_line); overflow-wrap: anywhere }
.reason[aria-pressed="true"]::before, .category[aria-pressed="true"]::before { content: "\\2713"; content: "\\2713" / "" }
.send { background: var(--_accent); color: var(--_on-accent); border-color: transparent }
form { display: grid; gap: .5rem; margin: .5rem 0 0; max-width: 28rem }
textarea { box-sizing: border-box; width: 100%; min-height: 4.5rem; padding: .5rem; border: 1px solid var(--_line); background: transparent; resize: vertical; display: block }
label { display: grid; gap: .25rem }
.status { margin: .25rem 0 0; min-height: 1.2em; font-size: .9em }
@media (pointer: coarse) { :host { --_size: max(44px, var(--feedback-size, 2rem)); --_gap: var(--feedback-gap, .5rem) } }
@media (prefers-reduced-motion: no-preference) { button { transition: background-color .12s, border-color .12s } }
@media (forced-colors: active) {
  button { border-color: ButtonBorder } .filled { color: Highlight }
  [aria-pressed="true"], [aria-checked="true"] { forced-color-adjust: none; background: Highlight; color: HighlightText; border-color: Highlight } }
`;
let sheet;

/** Returns the style sheet that all elements share: constructed, so that a page's policy may forbid inline styles. */
export function styleSheet() {
  if (sheet) return sheet;
  sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  return sheet;
}

/** Returns a thumb up as an image; the style turns that of a negative choice. */
export function thumb() {
  return icon(THUMB);
}

/** Returns a star as an image. */
export function star() {
  return icon(STAR);
}

function icon(path) {
  const [svg, line] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  const attributes = { viewBox: "0 0 24 24", "aria-hidden": "true", part: "icon" };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

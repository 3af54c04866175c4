/** Builds elements from names, properties and children. A string is always text, so no feedback can become markup. */

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. `on…` properties are listeners, all others attributes; null and false omit one. */
export function h(name, properties, ...children) {
  return filled(document.createElement(name), properties, children);
}

/** An SVG element. */
export function s(name, properties, ...children) {
  return filled(document.createElementNS(SVG, name), properties, children);
}

function filled(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) set(element, name, value);
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else element.setAttribute(name, value === true ? "" : value);
}

/** The element of the page with this id. */
export function at(id) {
  return document.getElementById(id);
}

/** Announce the text to screen readers. */
export function announce(text) {
  at("announcement").textContent = text;
}

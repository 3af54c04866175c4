/** Elements made without markup from strings. */

/** An element with properties set and children put into it; strings become text. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

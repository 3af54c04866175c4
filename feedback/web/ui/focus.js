/** Keeps the keyboard focus where the person left it, when what had it is drawn anew. */

const nameOf = (element) => element.getAttribute("aria-label") ?? element.textContent;

/** A function that focuses what has the focus now, or its successor of the same name, or else the title of its section. */
export function focusKept() {
  const had = document.activeElement;
  const [name, section, card] = [nameOf(had), had.closest("section[data-view]"), had.closest("section")];
  return () => {
    if (had.isConnected && !had.hidden) return had.focus();
    const named = [...(card?.isConnected ? card : section ?? document).querySelectorAll("button, summary, a")].find((one) => nameOf(one) === name);
    (named ?? section?.querySelector("[tabindex='-1']"))?.focus();
    if (document.activeElement === document.body) section?.querySelector("[tabindex='-1']")?.focus();
    return undefined;
  };
}

/** Renders a subset of Markdown as elements: paragraphs, lists, code, emphasis. Everything else stays text. */

import { element } from "./element.js";

/** Returns the blocks of a text as elements; no part of the text is parsed as HTML. */
export function markdown(text) {
  return text
    .split(/^```[^\n]*\n([\s\S]*?)(?:^```[ \t]*$|$(?![\s\S]))/m)
    .flatMap((part, at) => (at % 2 ? [element("pre", { tabIndex: 0 }, element("code", {}, part))] : blocks(part)));
}

function blocks(text) {
  return text.split(/\n{2,}/).filter((block) => block.trim()).map((block) => {
    const lines = block.trim().split("\n");
    if (lines.every((line) => /^[-*] /.test(line))) return list("ul", lines, /^[-*] /);
    if (lines.every((line) => /^\d+[.)] /.test(line))) return list("ol", lines, /^\d+[.)] /);
    return element("p", {}, ...inline(lines.join("\n")));
  });
}

function list(kind, lines, mark) {
  return element(kind, {}, ...lines.map((line) => element("li", {}, ...inline(line.replace(mark, "")))));
}

function inline(text) {
  return text.split(/(`[^`\n]+`|\*\*[^*\n]+\*\*|\*[^*\s][^*\n]*\*)/).filter(Boolean).map((part) => {
    if (/^`.+`$/.test(part)) return element("code", {}, part.slice(1, -1));
    if (/^\*\*.+\*\*$/.test(part)) return element("strong", {}, part.slice(2, -2));
    if (/^\*[^*].*\*$/.test(part)) return element("em", {}, part.slice(1, -1));
    return part;
  });
}

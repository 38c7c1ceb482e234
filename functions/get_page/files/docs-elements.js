// @ts-check
/** Elements and text of the reference, without a line of HTML: the page's policy allows none. */

import { make } from "./dom.js";

export { make };

/**
 * A description as the documents write it: paragraphs, lists of dashes, and code in backticks.
 * @param {string} [text]
 * @returns {HTMLElement[]}
 */
export function prose(text = "") {
  return text
    .trim()
    .split(/\n\s*\n/)
    .filter(Boolean)
    .map((block) => {
      const items = block.split(/^- /m);
      if (items.length === 1) return make("p", {}, ...inline(block));
      const list = make("ul", {}, ...items.slice(1).map((item) => make("li", {}, ...inline(item))));
      return items[0].trim() ? make("div", {}, make("p", {}, ...inline(items[0])), list) : list;
    });
}

/** @param {string} text */
export function inline(text) {
  return text.trim().split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));
}

/** @param {unknown} value */
export function json(value) {
  return make("pre", { tabindex: "0" }, make("code", {}, typeof value === "string" ? value : JSON.stringify(value, null, 2)));
}

/**
 * @param {string} title
 * @param {(Node | string)[]} children
 */
export function fold(title, ...children) {
  return make("details", {}, make("summary", {}, title), ...children);
}

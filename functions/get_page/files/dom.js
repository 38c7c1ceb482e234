// @ts-check
/** Making elements, and writing times, without markup in texts. */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | number | null | undefined} Child */

/**
 * An element with attributes (a function is a listener, `true` an empty attribute, null none) and children.
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, /** @type {EventListener} */ (value));
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined).map((child) => (typeof child === "number" ? String(child) : child)));
  return element;
}

/**
 * An element of a drawing.
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 */
export function shape(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

/**
 * A table whose cells know the name of their column, so that on a phone each row can be read as a card.
 * @param {string} caption
 * @param {string[]} columns
 * @param {Child[][]} rows
 */
export function table(caption, columns, rows) {
  const head = make("tr", {}, ...columns.map((column) => make("th", { scope: "col" }, column)));
  const body = rows.map((cells) => make("tr", {}, ...cells.map((cell, index) => make("td", { "data-column": columns[index] }, cell))));
  return make("table", {}, make("caption", { class: "sr-only" }, caption), make("thead", {}, head), make("tbody", {}, ...body));
}

/** @param {string} iso an instant */
export function time(iso) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  const text = at.toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return make("time", { datetime: iso, title: iso }, text);
}

/** @param {ParentNode} within @param {string} name the part of a section that is filled by the page */
export function slot(within, name) {
  return /** @type {HTMLElement} */ (within.querySelector(`[data-slot=${name}]`));
}

/** @param {HTMLElement} notice @param {string} text @param {"done" | "error" | "wait"} [kind] */
export function say(notice, text, kind = "done") {
  notice.dataset.kind = kind;
  notice.textContent = text;
}

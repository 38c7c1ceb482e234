// @ts-check
/** Movement: rows that glide to their new place and numbers on tiles that count up; none of it where it is not wanted. */

import { number } from "./messages.js";

const GLIDE_MS = 420;
const COUNT_MS = 450;
/** Digits roll for a step that can be followed by eye; longer ways are only counted. */
const ROLL_UP_TO = 9;
const EASING = "cubic-bezier(0.2, 0.8, 0.2, 1)";
const reduced = matchMedia("(prefers-reduced-motion: reduce)");

function isStill() {
  return reduced.matches || document.hidden;
}

/**
 * Change the order of a list's rows and let each glide from where it was seen last, even in the middle of an earlier move.
 * @param {Iterable<HTMLElement>} rows the rows there will be
 * @param {() => void} change
 */
export function glide(rows, change) {
  if (isStill()) return change();
  const moving = [...rows];
  const before = new Map(moving.filter((row) => row.isConnected).map((row) => [row, row.getBoundingClientRect().top]));
  change();
  for (const row of moving) for (const animation of row.getAnimations()) animation.cancel();
  const after = moving.map((row) => row.getBoundingClientRect().top);
  moving.forEach((row, index) => {
    const top = before.get(row);
    if (top === undefined) {
      row.animate({ opacity: [0, 1], transform: ["translateY(0.75rem)", "none"] }, { duration: GLIDE_MS, easing: EASING });
    } else if (Math.abs(top - after[index]) > 1) {
      const from = `translateY(${top - after[index]}px)`;
      row.animate({ transform: [from, "none"] }, { duration: GLIDE_MS, easing: EASING });
    }
  });
}

/** A number on tiles, like the ones that hang on a real scoreboard; screen readers get the plain number at once. */
export class Tiles {
  #text = document.createElement("span");
  #row = document.createElement("span");
  /** @type {number | null} */
  #target = null;
  #shown = 0;
  #width = 3;
  #frame = 0;

  /** @param {Element} parent */
  constructor(parent) {
    this.#text.className = "sr-only score-value";
    this.#row.className = "tiles";
    this.#row.setAttribute("aria-hidden", "true");
    parent.append(this.#text, this.#row);
  }

  /**
   * @param {number} value
   * @param {number} [width] the least number of tiles, so that the rows of a board are aligned
   */
  show(value, width = 3) {
    const first = this.#target === null;
    if (value === this.#target && width === this.#width) return;
    this.#target = value;
    this.#width = width;
    this.#text.textContent = number(value);
    cancelAnimationFrame(this.#frame);
    if (first || isStill()) return this.#draw(value);
    const from = this.#shown;
    const rolling = Math.abs(value - from) <= ROLL_UP_TO;
    const startedAt = performance.now();
    /** @param {number} now */
    const step = (now) => {
      const part = Math.min(1, Math.max(0, now - startedAt) / COUNT_MS);
      this.#draw(Math.round(from + (value - from) * part), rolling);
      if (part < 1) this.#frame = requestAnimationFrame(step);
    };
    this.#frame = requestAnimationFrame(step);
  }

  /**
   * @param {number} value
   * @param {boolean} [rolling]
   */
  #draw(value, rolling = false) {
    this.#shown = value;
    const digits = String(value).padStart(this.#width, " ");
    while (this.#row.childElementCount > digits.length) this.#row.firstElementChild?.remove();
    while (this.#row.childElementCount < digits.length) this.#row.prepend(emptyTile());
    [...this.#row.children].forEach((tile, index) => {
      const digit = digits[index].trim();
      const face = /** @type {HTMLElement} */ (tile.firstElementChild);
      if (face.textContent === digit) return;
      face.textContent = digit;
      tile.classList.toggle("blank", !digit);
      if (rolling) face.animate({ transform: ["translateY(-60%)", "none"], opacity: [0, 1] }, { duration: 160, easing: "ease-out" });
    });
  }
}

function emptyTile() {
  const tile = document.createElement("span");
  tile.className = "tile blank";
  tile.append(document.createElement("span"));
  return tile;
}

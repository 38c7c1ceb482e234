// @ts-check
/** A list of players in order of rank; used for the top ten and for the neighbourhood of a player further down. */

import { number } from "./messages.js";
import { glide, Tiles } from "./motion.js";

const SHOW_CHANGE_MS = 350;
const SHOW_RISE_MS = 2_500;

/** @typedef {import("./scoreboard.js").Line & { second?: number }} Line */

class Row {
  element = document.createElement("li");
  /** @type {Line | null} */
  line = null;
  #rank = part("rank");
  #name = part("name");
  #username = part("username");
  #you = part("you");
  #rise = part("rise");
  #tiles;
  #second = part("second");
  #changeTimer = 0;
  #riseTimer = 0;

  constructor() {
    this.element.className = "row";
    this.#name.dir = "auto";
    this.#rise.setAttribute("aria-hidden", "true");
    const who = part("who");
    who.append(this.#name, this.#username);
    const score = part("score");
    this.element.append(this.#rank, who, this.#you, this.#rise, score);
    this.#tiles = new Tiles(score);
    score.append(this.#second);
  }

  /**
   * @param {Line} line
   * @param {boolean} isOwn
   * @param {number} width
   */
  show(line, isOwn, width) {
    const before = this.line;
    this.line = line;
    this.element.dataset.userId = line.userId;
    this.element.dataset.rank = String(line.rank);
    this.element.classList.toggle("own", isOwn);
    this.#you.textContent = isOwn ? "you" : "";
    setText(this.#rank, String(line.rank));
    setText(this.#name, nameOf(line));
    this.#name.title = nameOf(line);
    setText(this.#username, nameOf(line) === line.username ? "" : line.username);
    this.#tiles.show(line.score, width);
    setText(this.#second, line.second === undefined ? "" : number(line.second));
    if (before && line.score !== before.score) this.#markChange();
    if (before && line.rank < before.rank) this.#markRise(before.rank - line.rank);
  }

  #markChange() {
    this.element.classList.add("changed");
    clearTimeout(this.#changeTimer);
    this.#changeTimer = setTimeout(() => this.element.classList.remove("changed"), SHOW_CHANGE_MS);
  }

  /** @param {number} places */
  #markRise(places) {
    this.#rise.textContent = `▲${places}`;
    this.element.classList.add("risen");
    clearTimeout(this.#riseTimer);
    this.#riseTimer = setTimeout(() => this.element.classList.remove("risen"), SHOW_RISE_MS);
  }
}

export class Board {
  /** @type {Map<string, Row>} */
  #rows = new Map();
  #list;
  #slots;

  /**
   * @param {HTMLElement} list
   * @param {number} slots how many places to draw even when nobody holds them
   */
  constructor(list, slots) {
    this.#list = list;
    this.#slots = slots;
    this.#fill([]);
  }

  /**
   * @param {Line[]} lines in order of rank
   * @param {string} [ownUserId]
   * @param {number} [width] tiles for each score
   */
  show(lines, ownUserId, width = widthOf(lines)) {
    const wanted = new Map(lines.map((line) => [line.userId, this.#rows.get(line.userId) ?? new Row()]));
    this.#rows = wanted;
    glide([...wanted.values()].map((row) => row.element), () => {
      for (const line of lines) wanted.get(line.userId)?.show(line, line.userId === ownUserId, width);
      this.#fill([...wanted.values()].map((row) => row.element));
    });
  }

  /**
   * Put the rows into the list, and empty places below them; touches only what is not in its place.
   * @param {HTMLElement[]} rows
   */
  #fill(rows) {
    for (const child of [...this.#list.children]) if (!rows.includes(/** @type {HTMLElement} */ (child))) child.remove();
    rows.forEach((row, index) => {
      if (this.#list.children[index] !== row) this.#list.insertBefore(row, this.#list.children[index] ?? null);
    });
    for (let empty = rows.length; empty < this.#slots; empty += 1) {
      const slot = document.createElement("li");
      slot.className = "slot";
      slot.setAttribute("aria-hidden", "true");
      this.#list.append(slot);
    }
  }
}

/**
 * How many tiles the longest score of a board takes.
 * @param {Line[]} lines
 */
export function widthOf(lines) {
  return Math.max(3, ...lines.map((line) => String(line.score).length));
}

/**
 * What a player is called; a server of an older version knows usernames alone.
 * @param {Line} line
 */
export function nameOf(line) {
  return line.displayName ?? line.username;
}

/** @param {string} name */
function part(name) {
  const element = document.createElement("span");
  element.className = name;
  return element;
}

/**
 * @param {HTMLElement} element
 * @param {string} text
 */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

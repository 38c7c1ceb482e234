// @ts-check
/** The reader's own place on a board other than `main`. */

import { Board } from "./board.js";
import { slot } from "./dom.js";
import { number } from "./messages.js";
import { Tiles } from "./motion.js";
import { ScoreboardError as ApiError } from "./scoreboard.js";
/** @typedef {import("./way.js").Way} Way */

const NEIGHBOURS = 2;

/** @typedef {import("./feed.js").Row} Row */
/** @typedef {{ rank: number, score: number, second?: number }} Standing */

export class OwnPlace {
  #session;
  #element;
  #around;
  #neighbours;
  #tiles;
  #way;
  #open = 0;
  #board = "";
  #period = "";
  #season = 0;
  #run = 0;
  #isAsking = false;

  /**
   * @param {import("./session.js").Session} session
   * @param {HTMLElement} element
   * @param {HTMLElement} around where the neighbours of who stands further down are shown
   * @param {Way} way to what the reader has
   */
  constructor(session, element, around, way) {
    this.#session = session;
    this.#element = element;
    this.#around = around;
    this.#way = way;
    this.#neighbours = new Board(slot(around, "neighbours"), 0);
    this.#tiles = new Tiles(slot(element, "score"));
  }

  reset() {
    this.#run += 1;
    this.#isAsking = false;
    this.#around.hidden = true;
    this.#element.hidden = true;
    this.#way.reset();
    slot(this.#element, "score").replaceChildren();
    this.#tiles = new Tiles(slot(this.#element, "score"));
    this.#say("");
  }

  /**
   * @param {{ board: string, period: string, season: number }} where season 0 for the open one
   * @param {number} open its number, 0 for none
   */
  begin({ board, period, season }, open) {
    this.#board = board;
    this.#period = period;
    this.#season = season;
    this.#open = open;
  }

  /**
   * @param {Row[]} rows that are shown
   * @param {number} width tiles for a score
   */
  see(rows, width) {
    const user = this.#session.user;
    if (!user || user.role === "admin") return;
    const own = rows.find(({ userId }) => userId === user.userId);
    if (!own) return void this.#ask(width);
    this.#around.hidden = true;
    this.#show(own);
    this.#seeWay(own);
  }

  /** @param {Standing} place */
  seeReceipt(place) {
    this.#show(place);
  }

  /** @param {number} width */
  async #ask(width) {
    if (this.#isAsking) return;
    const { user } = this.#session;
    const run = this.#run;
    this.#isAsking = true;
    try {
      const places = this.#season ? await this.#inPast() : await this.#now();
      if (run !== this.#run || this.#session.user !== user) return;
      const [own, others] = places;
      this.#around.hidden = !own || !others.length;
      if (!own) return this.#showNone();
      this.#show(own);
      this.#seeWay(own);
      if (others.length) this.#neighbours.show([...others, own].sort((one, other) => one.rank - other.rank), own.userId, width);
    } catch (error) {
      if (run === this.#run && error instanceof ApiError && !error.isTemporary && error.status !== 429) this.#showNone();
    } finally {
      if (run === this.#run) this.#isAsking = false;
    }
  }

  get #path() {
    return `/api/boards/${encodeURIComponent(this.#board)}/scores`;
  }

  /** @returns {Promise<[Row | undefined, Row[]]>} the reader's row and those around */
  async #now() {
    const { places, ...names } = (await this.#session.call("GET", `${this.#path}/${encodeURIComponent(this.#session.user?.userId ?? "")}?neighbours=${NEIGHBOURS}`)).data;
    const place = places.find((/** @type {any} */ { period }) => period === this.#period);
    return place ? [{ ...names, ...place }, place.neighbours] : [undefined, []];
  }

  /** @returns {Promise<[Row | undefined, Row[]]>} */
  async #inPast() {
    const body = { userIds: [this.#session.user?.userId], period: this.#period, season: this.#season };
    return [(await this.#session.call("POST", `${this.#path}/query`, { body })).data[0], []];
  }

  #showNone() {
    this.#element.hidden = true;
    this.#say(this.#season ? "You were not on this board in this season." : "You are not on this board yet.");
  }

  /** @param {Standing} place */
  #seeWay({ score }) {
    this.#way.see({ board: this.#board, period: this.#period, season: this.#season || this.#open, score });
  }

  /** @param {Standing} place */
  #show({ rank, score, second }) {
    this.#element.hidden = false;
    slot(this.#element, "rank").textContent = number(rank);
    slot(this.#element, "score").classList.toggle("long", String(score).length > 7);
    this.#tiles.show(score);
    this.#say(second === undefined ? "" : `Second value ${number(second)}`);
  }

  /** @param {string} text */
  #say(text) {
    const note = this.#element.nextElementSibling;
    if (note) note.textContent = text;
  }
}

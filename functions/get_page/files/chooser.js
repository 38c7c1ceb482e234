// @ts-check
/** Which board is looked at: a choice where there is more than one, kept in the address. */

import { make } from "./dom.js";

export const MAIN = "main";

/** @typedef {{ period: string, season: number, startsAt: string | null, endsAt: string | null }} OpenSeason */
/** @typedef {{ name: string, cron?: string, timeZone?: string, startsAt?: string, endsAt?: string }} Period */
/**
 * @typedef {object} Definition
 * @property {string} id
 * @property {string} title
 * @property {number} minValue
 * @property {number} maxValue
 * @property {boolean} secondColumn
 * @property {Period[]} periods
 * @property {"player" | "server"} write
 * @property {OpenSeason[]} seasons
 */
/** @typedef {{ board: string, period: string, season: number }} Choice an empty period is the board's first one, season 0 the open one */

/** What the address says. @returns {Choice} */
export function choiceOf() {
  const query = new URLSearchParams(location.search);
  return { board: query.get("board") || MAIN, period: query.get("period") ?? "", season: Number.parseInt(query.get("season") ?? "", 10) || 0 };
}

/** @param {Choice} choice */
export function addressOf({ board, period, season }) {
  const query = new URLSearchParams();
  if (board !== MAIN) query.set("board", board);
  if (period) query.set("period", period);
  if (season) query.set("season", String(season));
  return query.size ? `/?${query}` : "/";
}

export class Chooser {
  #element;
  #select;
  #session;
  #onList;
  /** @type {Definition[] | null} null until they are known */
  #boards = null;
  /** @type {import("./session.js").User | null | undefined} for whom it is being asked */
  #askingFor = undefined;

  /**
   * @param {HTMLElement} element
   * @param {import("./session.js").Session} session
   * @param {{ onList: () => void, onChoose: (board: string) => void }} callbacks
   */
  constructor(element, session, { onList, onChoose }) {
    this.#element = element;
    this.#select = /** @type {HTMLSelectElement} */ (element.querySelector("select"));
    this.#session = session;
    this.#onList = onList;
    this.#select.addEventListener("change", () => onChoose(this.#select.value));
  }

  /** Whether it is known which boards there are for who looks. */
  get isKnown() {
    return this.#boards !== null;
  }

  /** @param {string} board */
  find(board) {
    return this.#boards?.find(({ id }) => id === board);
  }

  /** Ask which boards there are: who signs in may see others than a guest. */
  async ask() {
    const user = this.#session.user;
    if (this.#askingFor === user) return;
    this.#askingFor = user;
    try {
      const { data } = await this.#session.look("GET", "/api/boards");
      if (this.#session.user !== user) return;
      this.#boards = data;
      this.show();
      this.#onList();
    } catch {
      // It is asked again with the next connection.
    } finally {
      if (this.#askingFor === user) this.#askingFor = undefined;
    }
  }

  forget() {
    this.#boards = null;
  }

  show() {
    const chosen = choiceOf().board;
    const others = (this.#boards ?? []).filter(({ id }) => id !== MAIN);
    const main = this.find(MAIN)?.title ?? "Leaderboard";
    const options = [[MAIN, main], ...others.map(({ id, title }) => [id, title])];
    if (!options.some(([id]) => id === chosen)) options.push([chosen, chosen]);
    this.#select.replaceChildren(...options.map(([id, title]) => make("option", { value: id }, title)));
    this.#select.value = chosen;
    this.#element.hidden = options.length === 1;
  }
}

/**
 * Whether no period of a board has begun, so that nothing can be entered.
 * @param {Definition} board
 */
export function isToCome({ periods, seasons }) {
  return !seasons.length && periods.every(({ startsAt }) => Date.parse(startsAt ?? "") > Date.now());
}

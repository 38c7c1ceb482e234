// @ts-check
/** The seasons of a board: what became of those that are over, and ending one that is open. */

import { confirmed } from "./admin-confirm.js";
import { Listing } from "./admin-listing.js";
import { make, slot, table, time } from "./dom.js";
import { number } from "./messages.js";

const LIMIT = 20;
const COLUMNS = ["Period", "Season", "From", "Until", "State", "Players", "Actions"];

/** @typedef {{ period: string, season: number, startsAt: string | null, endsAt: string | null, state: "open" | "ended" | "closed", players: number }} Season */

export class BoardSeasons {
  #element;
  #session;
  #onReset;
  #listing;
  #board = "";

  /**
   * @param {HTMLElement} element
   * @param {import("./session.js").Session} session
   * @param {() => void} onReset
   */
  constructor(element, session, onReset) {
    this.#element = element;
    this.#session = session;
    this.#onReset = onReset;
    this.#listing = new Listing(element, (cursor) => this.#ask(cursor), (rows) => this.#draw(rows), "No season has begun.");
  }

  /** @param {{ id: string, title: string }} board */
  show({ id, title }) {
    this.#board = id;
    this.#listing.clear();
    slot(this.#element, "title").textContent = `Seasons of ${title}`;
    this.#element.hidden = false;
    void this.#listing.load();
    slot(this.#element, "title").focus();
  }

  hide() {
    this.#element.hidden = true;
    this.#listing.clear();
  }

  get #path() {
    return `/api/boards/${encodeURIComponent(this.#board)}`;
  }

  /** @param {string} cursor */
  #ask(cursor) {
    const query = new URLSearchParams({ limit: String(LIMIT), ...(cursor ? { cursor } : {}) });
    return this.#session.call("GET", `${this.#path}/seasons?${query}`);
  }

  /** @param {Season[]} seasons */
  #draw(seasons) {
    const lines = seasons.map((season) => [
      season.period,
      number(season.season),
      season.startsAt ? time(season.startsAt) : "–",
      season.endsAt ? time(season.endsAt) : "–",
      { open: "open", ended: "ended, final ranks are being made", closed: "closed, final ranks" }[season.state] ?? season.state,
      season.players === undefined || season.players === null ? "–" : number(season.players),
      make("span", { class: "row-actions" }, this.#look(season), season.state === "open" && season.period !== "all_time" ? this.#resetButton(season) : null),
    ]);
    return table("Seasons, newest first", COLUMNS, lines);
  }

  /** @param {Season} season */
  #look({ period, season, state }) {
    const which = new URLSearchParams({ board: this.#board, period, ...(state === "open" ? {} : { season: String(season) }) });
    return make("a", { href: `/?${which}`, class: "quiet" }, "Look", make("span", { class: "sr-only" }, ` at ${period} ${season}`));
  }

  /** @param {Season} season */
  #resetButton(season) {
    return make("button", { type: "button", class: "quiet", click: () => void this.#reset(season) }, "Reset", make("span", { class: "sr-only" }, ` ${season.period}`));
  }

  /** @param {Season} season */
  async #reset({ period, season, endsAt, players }) {
    const next = endsAt ? `, and ends when this one would have: ${new Date(endsAt).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })}` : "";
    const who = players === 1 ? "its one player" : `its ${number(players ?? 0)} players`;
    const text = `Season ${number(season)} of ${period} ends now, with ${who}, and cannot be opened again. Its final ranks can be read a minute later, for good. Season ${number(season + 1)} begins at once, empty${next}. Nothing is deleted; other periods go on.`;
    if (!(await confirmed(`Reset ${period} of ${this.#board}?`, text, "Reset"))) return;
    try {
      const { data } = await this.#session.call("POST", `${this.#path}/reset`, { body: { period } });
      await this.#listing.load();
      this.#listing.say(`Season ${number(data.ended.season)} of ${period} has ended; season ${number(data.began.season)} has begun.`);
      this.#onReset();
      slot(this.#element, "title").focus();
    } catch (error) {
      this.#listing.fail(error);
    }
  }
}

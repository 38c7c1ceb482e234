// @ts-check
/** The season of a board: which one it is, how long it lasts, and those before it. */

import { make } from "./dom.js";
import { number } from "./messages.js";

const SHOWN_SEASONS = 100;
const DAY = 86_400;
const HOUR = 3_600;
const MINUTE = 60;

export class Seasons {
  #text;
  #label;
  #select;
  #onTurn;
  #ticking = 0;
  #newest = 0;

  /**
   * @param {{ text: HTMLElement, choice: HTMLElement }} elements
   * @param {{ onChoose: (season: number) => void, onTurn: () => void }} callbacks `onTurn`: the season has ended, by the clock here
   */
  constructor({ text, choice }, { onChoose, onTurn }) {
    this.#text = text;
    this.#label = choice;
    this.#select = /** @type {HTMLSelectElement} */ (choice.querySelector("select"));
    this.#onTurn = onTurn;
    this.#select.addEventListener("change", () => onChoose(Number(this.#select.value)));
  }

  reset() {
    clearInterval(this.#ticking);
    this.#newest = 0;
    this.#label.hidden = true;
    this.#text.textContent = "";
  }

  /**
   * @param {import("./chooser.js").Period} period
   * @param {import("./chooser.js").OpenSeason | undefined} open
   * @param {number} wanted 0 for the open one
   * @param {import("./feed.js").ScorePage} page what was read of it
   */
  show(period, open, wanted, page) {
    this.#offer(Math.max(this.#newest, open?.season ?? 0, page.season), wanted);
    clearInterval(this.#ticking);
    if (page.season !== open?.season) return this.#say(ended(page));
    if (!open.endsAt) return this.#say(open.season > 1 ? `Season ${number(open.season)}` : "");
    const serverIsAhead = Date.parse(page.asOf) - Date.now();
    const endsAt = Date.parse(open.endsAt) - serverIsAhead;
    const what = period.cron ? `Season ${number(open.season)} · next reset` : "Ends";
    const tick = () => {
      const left = Math.ceil((endsAt - Date.now()) / 1000);
      this.#say(`${what} in ${duration(Math.max(0, left))}`, open.endsAt);
      if (left > 0) return;
      clearInterval(this.#ticking);
      this.#onTurn();
    };
    this.#ticking = setInterval(tick, 1000);
    tick();
  }

  /**
   * None is open, and none has ever been.
   * @param {import("./chooser.js").Period} period
   */
  showNone(period) {
    clearInterval(this.#ticking);
    const begins = Date.parse(period.startsAt ?? "");
    if (begins > Date.now()) this.#say(`Begins ${new Date(begins).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })}`, period.startsAt);
    else this.#say("No season has begun.");
  }

  /**
   * @param {string} text
   * @param {string | null} [title]
   */
  #say(text, title) {
    if (this.#text.textContent !== text) this.#text.textContent = text;
    this.#text.title = title ?? "";
  }

  /**
   * @param {number} newest
   * @param {number} wanted
   */
  #offer(newest, wanted) {
    this.#label.hidden = newest < 2;
    if (newest !== this.#newest || !this.#select.querySelector(`[value="${wanted}"]`)) {
      this.#newest = newest;
      const numbers = Array.from({ length: Math.min(newest - 1, SHOWN_SEASONS) }, (_, index) => newest - 1 - index);
      if (wanted && wanted !== newest && !numbers.includes(wanted)) numbers.push(wanted);
      this.#select.replaceChildren(make("option", { value: 0 }, "now"), ...numbers.map((season) => make("option", { value: season }, String(season))));
    }
    this.#select.value = String(wanted === newest ? 0 : wanted);
  }
}

/** @param {import("./feed.js").ScorePage} page */
function ended({ season, version }) {
  const isFinal = version.startsWith("final-");
  return `Season ${number(season)} has ended${isFinal ? ": final ranks" : ""}`;
}

/** @param {number} left seconds */
export function duration(left) {
  if (left >= DAY) return `${number(Math.floor(left / DAY))} d ${Math.floor((left % DAY) / HOUR)} h`;
  if (left >= HOUR) return `${Math.floor(left / HOUR)} h ${Math.floor((left % HOUR) / MINUTE)} min`;
  return left >= MINUTE ? `${Math.floor(left / MINUTE)} min ${left % MINUTE} s` : `${left} s`;
}

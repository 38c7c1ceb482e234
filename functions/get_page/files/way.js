// @ts-check
/** The reader's way through a season: a chart of what their entries came to, asked for when it is opened. */

import { make, shape, slot } from "./dom.js";
import { explain, number } from "./messages.js";

const PAGE = 200;
const MOST_PAGES = 5;
const WIDTH = 600;
const HEIGHT = 140;
const EDGE = 6;
/** The ledger may be a little behind the board: how long to wait before its entries are asked for once more. */
const BEHIND_MS = [500, 1000, 2000, 4000, 8000];

/** @typedef {{ at: number, score: number, rank: number }} Step */

export class Way {
  #session;
  #details;
  #content;
  #where = { board: "", period: "", season: 0, score: 0 };
  #run = 0;

  /**
   * @param {import("./session.js").Session} session
   * @param {HTMLDetailsElement} details
   */
  constructor(session, details) {
    this.#session = session;
    this.#details = details;
    this.#content = slot(details, "way-chart");
    details.addEventListener("toggle", () => void this.#load());
  }

  reset() {
    this.#run += 1;
    this.#details.hidden = true;
    this.#content.replaceChildren();
  }

  /** @param {{ board: string, period: string, season: number, score: number }} where a season in which the reader has a place */
  see(where) {
    if (this.#session.user?.role !== "player") return;
    const isAnother = this.#details.hidden || Object.entries(where).some(([name, value]) => this.#where[/** @type {keyof typeof where} */ (name)] !== value);
    this.#where = where;
    this.#details.hidden = false;
    if (isAnother) void this.#load();
  }

  async #load() {
    if (!this.#details.open || this.#details.hidden) return;
    const run = ++this.#run;
    try {
      for (const waitMs of [...BEHIND_MS, 0]) {
        const { steps, isWhole } = await this.#ask();
        if (run !== this.#run) return;
        this.#draw(steps, isWhole);
        if (!waitMs || steps[steps.length - 1]?.score === this.#where.score) return;
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        if (run !== this.#run) return;
      }
    } catch (error) {
      if (run === this.#run) this.#content.replaceChildren(make("p", {}, explain(error)));
    }
  }

  /** Oldest first. @returns {Promise<{ steps: Step[], isWhole: boolean }>} */
  async #ask() {
    const { board, period, season } = this.#where;
    const path = `/api/boards/${encodeURIComponent(board)}/scores/${encodeURIComponent(this.#session.user?.userId ?? "")}/entries`;
    /** @type {Step[]} */
    const steps = [];
    let cursor = "";
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const { data, nextCursor } = await this.#session.call("GET", `${path}?${new URLSearchParams({ limit: String(PAGE), ...(cursor ? { cursor } : {}) })}`);
      for (const { acceptedAt, struckBy, periods } of data) {
        const place = periods.find((/** @type {any} */ each) => each.period === period && each.season === season);
        if (place && !struckBy) steps.unshift({ at: Date.parse(acceptedAt), score: place.score, rank: place.rank });
      }
      // Entries are older and older: those of seasons before this one say that it is over.
      const isBefore = data.some((/** @type {any} */ { periods }) => periods.some((/** @type {any} */ each) => each.period === period && each.season < season));
      if (!nextCursor || isBefore) return { steps, isWhole: true };
      cursor = nextCursor;
    }
    return { steps, isWhole: false };
  }

  /** @param {Step[]} steps @param {boolean} isWhole */
  #draw(steps, isWhole) {
    if (!steps.length) return this.#content.replaceChildren(make("p", {}, "Your entries of this season are still on their way."));
    const [first, last] = [steps[0], steps[steps.length - 1]];
    const scores = steps.map(({ score }) => score);
    const [least, most] = [Math.min(...scores), Math.max(...scores)];
    const best = Math.min(...steps.map(({ rank }) => rank));
    const x = (/** @type {number} */ at) => EDGE + ((at - first.at) / (last.at - first.at || 1)) * (WIDTH - 2 * EDGE);
    const y = (/** @type {number} */ score) => HEIGHT - EDGE - ((score - least) / (most - least || 1)) * (HEIGHT - 2 * EDGE);
    const line = steps.map(({ at, score }, index) => (index ? `H${x(at).toFixed(1)}V${y(score).toFixed(1)}` : `M${x(at).toFixed(1)} ${y(score).toFixed(1)}`));
    const count = steps.length === 1 ? "One entry" : `${isWhole ? "" : "The newest "}${number(steps.length)} entries`;
    const said = `${count}: from ${number(first.score)} to ${number(last.score)}, best rank ${number(best)}.`;
    const picture = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `Your score over the season. ${said}` });
    picture.append(shape("path", { d: line.join(""), "vector-effect": "non-scaling-stroke" }));
    const when = (/** @type {number} */ at) => new Date(at).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
    const axis = make("p", { class: "axis", "aria-hidden": "true" }, make("span", {}, when(first.at)), make("span", {}, when(last.at)));
    this.#content.replaceChildren(make("p", {}, said), picture, axis);
  }
}

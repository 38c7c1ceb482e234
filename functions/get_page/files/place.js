// @ts-check
/** The reader's own place: score, rank, the distance to the next one, and the neighbours when it is not among the top ten. */

import { Board, nameOf, widthOf } from "./board.js";
import { number, points } from "./messages.js";
import { Tiles } from "./motion.js";
import { ScoreboardError as ApiError } from "./scoreboard.js";

const ASK_EVERY_MS = 1_000;
const ASK_AGAIN_MS = 5_000;
/** So long a receipt is newer than whatever the board says: its frame may still be on the way. */
const RECEIPT_RULES_MS = 3_000;

/** @typedef {import("./scoreboard.js").Line} Line */

export class Place {
  #session;
  #elements;
  #tiles;
  #around;
  /** @type {{ score: number, rank: number, until: number } | null} */
  #receipt = null;
  #rank = 0;
  #width = 3;
  #timer = 0;
  #askedAt = 0;
  #isAsking = false;
  #askAgain = false;

  /**
   * @param {import("./session.js").Session} session
   * @param {{ rank: HTMLElement, score: HTMLElement, gap: HTMLElement, name: HTMLElement, around: HTMLElement, aroundList: HTMLElement }} elements
   */
  constructor(session, elements) {
    this.#session = session;
    this.#elements = elements;
    this.#tiles = new Tiles(elements.score);
    this.#around = new Board(elements.aroundList, 0);
  }

  reset() {
    clearTimeout(this.#timer);
    this.#timer = this.#askedAt = this.#rank = 0;
    this.#askAgain = false;
    this.#receipt = null;
    this.#elements.rank.textContent = "–";
    this.#elements.score.replaceChildren();
    this.#tiles = new Tiles(this.#elements.score);
    this.#elements.gap.textContent = "";
    this.#elements.around.hidden = true;
  }

  /** @param {Line[]} lines the top ten as just received */
  seeBoard(lines) {
    this.#width = widthOf(lines);
    const index = lines.findIndex((line) => line.userId === this.#session.user?.userId);
    if (index < 0) return this.ask();
    this.#elements.around.hidden = true;
    this.#show(lines[index], lines[index - 1], lines[index + 1]);
  }

  /** @param {import("./scoreboard.js").Receipt} receipt */
  seeReceipt({ score, rank }) {
    this.#receipt = { score, rank, until: Date.now() + RECEIPT_RULES_MS };
    this.#tiles.show(score);
    this.#showRank(rank);
    if (!this.#elements.around.hidden) this.ask();
  }

  /** Ask the server for the place and its neighbours, soon, and at most once a second. */
  ask() {
    if (!this.#session.user || this.#timer) return;
    if (this.#isAsking) {
      this.#askAgain = true;
      return;
    }
    this.#timer = setTimeout(() => void this.#ask(), Math.max(0, this.#askedAt + ASK_EVERY_MS - Date.now()));
  }

  async #ask() {
    const user = this.#session.user;
    this.#timer = 0;
    if (!user) return;
    this.#askedAt = Date.now();
    this.#isAsking = true;
    this.#askAgain = false;
    try {
      const { data } = await this.#session.call("GET", `/api/score/${encodeURIComponent(user.userId)}?neighbours=2`);
      if (this.#session.user === user) this.#seeStanding(data);
    } catch (error) {
      const again = error instanceof ApiError && (error.isTemporary || error.status === 429);
      const waitMs = Math.max(ASK_AGAIN_MS, (error instanceof ApiError ? (error.retryAfterSeconds ?? 0) : 0) * 1000);
      if (again && this.#session.user === user) this.#timer = setTimeout(() => void this.#ask(), waitMs);
    } finally {
      this.#isAsking = false;
      if (this.#askAgain) this.ask();
    }
  }

  /** @param {Line & { neighbours?: Line[] }} standing */
  #seeStanding({ neighbours = [], ...own }) {
    const others = neighbours.filter((line) => line.userId !== own.userId);
    const lines = [...others, own].sort((one, other) => one.rank - other.rank);
    const index = lines.indexOf(own);
    this.#elements.around.hidden = own.rank <= 10;
    if (own.rank > 10) this.#around.show(lines, own.userId, this.#width);
    this.#show(own, lines[index - 1], lines[index + 1]);
  }

  /**
   * @param {Line} own
   * @param {Line | undefined} ahead
   * @param {Line | undefined} behind
   */
  #show(own, ahead, behind) {
    if (this.#receipt && (Date.now() > this.#receipt.until || own.score >= this.#receipt.score)) this.#receipt = null;
    const score = this.#receipt?.score ?? own.score;
    this.#tiles.show(score);
    this.#showRank(this.#receipt?.rank ?? own.rank);
    this.#elements.gap.textContent = distance(score, ahead, behind);
    this.#elements.name.textContent = nameOf(own);
  }

  /** @param {number} rank */
  #showRank(rank) {
    if (rank === this.#rank) return;
    this.#rank = rank;
    this.#elements.rank.textContent = number(rank);
  }
}

/**
 * @param {number} score
 * @param {Line | undefined} ahead
 * @param {Line | undefined} behind
 */
function distance(score, ahead, behind) {
  if (ahead && ahead.score > score) return `${points(ahead.score - score)} behind ${isolated(nameOf(ahead))}`;
  if (ahead) return `Level with ${isolated(nameOf(ahead))}, who registered earlier`;
  if (behind && score > behind.score) return `In the lead by ${points(score - behind.score)}`;
  return behind ? `Level with ${isolated(nameOf(behind))}, who registered later` : "Alone on the board so far";
}

/**
 * A name that may run from right to left, kept from turning what stands around it (Unicode's isolates).
 * @param {string} name
 */
function isolated(name) {
  return `\u2068${name}\u2069`;
}

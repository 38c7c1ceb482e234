// @ts-check
/** A board as it is now: pushed by the server where it does, else read again and again. */

import { LiveBoard, ScoreboardError as ApiError } from "./scoreboard.js";

const EVERY_MS = 5_000;

/** @typedef {import("./scoreboard.js").Line} Row */
/** @typedef {{ data: Row[], nextCursor: string | null, total: number, asOf: string, version: string, period: string, season: number }} ScorePage */
/** @typedef {{ board: string, period: string, season: number, top: number }} Wanted season 0 for the open one, which changes */

export class Feed {
  #session;
  #callbacks;
  /** @type {LiveBoard | null} */
  #live = null;
  /** Whether the server has pushed rows since the feed began; then nothing has to be read but what they do not say. */
  #isPushed = false;
  #path = "";
  #isPast = false;
  #run = 0;
  #attempts = 0;
  #readAt = 0;
  /** @type {any} */
  #timer = 0;
  #isReading = false;

  /**
   * @param {import("./session.js").Session} session
   * @param {object} callbacks
   * @param {(page: ScorePage) => void} callbacks.onPage
   * @param {(frame: import("./scoreboard.js").Board) => void} callbacks.onFrame the rows alone, newer than the page's
   * @param {(state: import("./scoreboard.js").State) => void} callbacks.onState
   * @param {(error: unknown) => void} callbacks.onEnd
   */
  constructor(session, callbacks) {
    this.#session = session;
    this.#callbacks = callbacks;
  }

  /** @param {Wanted} wanted */
  start({ board, period, season, top }) {
    this.stop();
    const run = this.#run;
    const past = season ? `&season=${season}` : "";
    this.#path = `/api/boards/${encodeURIComponent(board)}/scores?period=${encodeURIComponent(period)}${past}&limit=${top}`;
    this.#isPast = season > 0;
    this.#callbacks.onState({ name: "connecting" });
    void this.#read();
    if (this.#isPast) return;
    this.#live = new LiveBoard(this.#session, {
      view: { board, period, top },
      onBoard: (frame) => {
        if (run === this.#run) this.#push(frame);
      },
      onState: (state) => {
        if (run === this.#run && this.#isPushed) this.#callbacks.onState(state);
      },
      onEnd: () => {
        if (run === this.#run) this.#readOn();
      },
      giveUpAfterMs: Infinity, // somebody looks, and may press the button
    });
    this.#live.start();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#run += 1;
    this.#timer = this.#attempts = this.#readAt = 0;
    this.#isPushed = this.#isReading = false;
    this.#live?.stop();
    this.#live = null;
  }

  /** Do not wait for the next attempt. */
  retryNow() {
    this.#live?.retryNow();
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    void this.#read();
  }

  /** @param {import("./scoreboard.js").Board} frame */
  #push(frame) {
    if (!this.#isPushed) this.#callbacks.onState({ name: "live" });
    this.#isPushed = true;
    this.#callbacks.onFrame(frame);
    if (!this.#isReading) this.#readLater(Math.max(0, this.#readAt + EVERY_MS - Date.now()));
  }

  /** Nothing is pushed any more: ask why, or how the board is. */
  #readOn() {
    this.#isPushed = false;
    if (!this.#isReading) this.#readLater(0);
  }

  async #read() {
    const run = this.#run;
    this.#timer = 0;
    this.#isReading = true;
    try {
      const page = await this.#session.look("GET", this.#path);
      if (run !== this.#run) return;
      this.#attempts = 0;
      this.#readAt = Date.now();
      if (!this.#isPushed) this.#callbacks.onState({ name: this.#isPast ? "off" : "live" });
      this.#callbacks.onPage(page);
      if (run === this.#run && !this.#isPushed && !this.#isPast) this.#readLater(EVERY_MS);
    } catch (error) {
      if (run === this.#run) this.#fail(error);
    } finally {
      if (run === this.#run) this.#isReading = false;
    }
  }

  /** @param {unknown} error */
  #fail(error) {
    if (!(error instanceof ApiError) || !(error.isTemporary || error.status === 429)) {
      this.stop();
      this.#callbacks.onState({ name: "off" });
      return this.#callbacks.onEnd(error);
    }
    const waitMs = (error.retryAfterSeconds ?? 0) * 1000 + this.#session.jitterMs(this.#attempts);
    this.#attempts += 1;
    if (!this.#isPushed) this.#callbacks.onState({ name: "reconnecting", retryAt: Date.now() + waitMs, error });
    this.#readLater(waitMs);
  }

  /** @param {number} waitMs */
  #readLater(waitMs) {
    clearTimeout(this.#timer);
    // Nobody looks at a hidden page; it is read when it is seen again.
    this.#timer = setTimeout(() => (document.hidden ? undefined : void this.#read()), waitMs);
  }
}

// @ts-check
/** Ends a session that nobody uses: an admin's page left open is an open door. */

const STORAGE_KEY = "scoreboard.admin.used";
const LOOK_EVERY_MS = 5_000;
const EVENTS = ["pointerdown", "keydown", "wheel", "touchstart"];

export class Idle {
  #limitMs;
  #onIdle;
  #timer = 0;

  /**
   * @param {number} limitMs
   * @param {() => void} onIdle
   */
  constructor(limitMs, onIdle) {
    this.#limitMs = limitMs;
    this.#onIdle = onIdle;
    for (const event of EVENTS) addEventListener(event, () => this.#note(), { passive: true, capture: true });
  }

  /** Whether a session of before a reload has been used of late; one that comes from the board is just being used. */
  get isFresh() {
    return Date.now() - Number(sessionStorage.getItem(STORAGE_KEY) ?? Date.now()) < this.#limitMs;
  }

  start() {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#note();
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = 0;
    sessionStorage.removeItem(STORAGE_KEY);
  }

  #note() {
    if (!this.#timer) return;
    if (this.isFresh) sessionStorage.setItem(STORAGE_KEY, String(Date.now()));
    else this.#look();
  }

  /** By the time of day, not by counting: a machine that slept has been idle. */
  #look() {
    if (!this.isFresh) this.#onIdle();
  }
}

// @ts-check
/** The button: how many points, press, and what came of it. */

import { explain, number, points, seconds } from "./messages.js";
import { ScoreboardError as ApiError } from "./scoreboard.js";

/** Two presses closer than this are one press of a nervous finger. */
const DOUBLE_PRESS_MS = 300;

export class Play {
  #form;
  #session;
  #callbacks;
  #button;
  #notice;
  #coolingTimer = 0;

  /**
   * @param {HTMLFormElement} form
   * @param {import("./session.js").Session} session
   * @param {{ onReceipt: (receipt: import("./scoreboard.js").Receipt) => void, announce: (text: string) => void }} callbacks
   */
  constructor(form, session, callbacks) {
    this.#form = form;
    this.#session = session;
    this.#callbacks = callbacks;
    this.#button = /** @type {HTMLButtonElement} */ (form.querySelector("#score-button"));
    this.#notice = /** @type {HTMLElement} */ (form.querySelector("#play-notice"));
    form.addEventListener("change", () => this.#showIncrement());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#press();
    });
    this.reset();
  }

  /** As before the first press, for whoever signs in next. */
  reset() {
    clearInterval(this.#coolingTimer);
    this.#form.reset();
    this.#showIncrement();
    this.#say("");
    this.#setState("ready");
  }

  focus() {
    this.#button.focus();
  }

  get #increment() {
    return Number(new FormData(this.#form).get("increment"));
  }

  #showIncrement() {
    this.#button.textContent = `Score +${this.#increment}`;
  }

  /** @param {"ready" | "busy" | "cooling"} state */
  #setState(state) {
    // aria-disabled, not disabled: a button that is disabled for the moment of a press would lose the keyboard's focus.
    this.#button.setAttribute("aria-disabled", String(state !== "ready"));
    this.#button.dataset.state = state;
  }

  async #press() {
    const user = this.#session.user;
    if (this.#button.dataset.state !== "ready" || !user) return;
    const startedAt = performance.now();
    const increment = this.#increment;
    this.#setState("busy");
    try {
      const receipt = await this.#session.addPoints(increment, {
        waitWhenLimited: false,
        onRetry: (error) => {
          if (this.#session.user === user) this.#tell(kept(error, increment), "wait");
        },
      });
      if (this.#session.user !== user) return;
      this.#say("");
      this.#callbacks.onReceipt(receipt);
      this.#callbacks.announce(`Scored ${points(increment)}. You have ${number(receipt.score)}, rank ${number(receipt.rank)}.`);
      setTimeout(() => this.#ready(user), DOUBLE_PRESS_MS - (performance.now() - startedAt));
    } catch (error) {
      if (this.#session.user === user) this.#fail(error, increment);
    }
  }

  /** @param {import("./scoreboard.js").User} user */
  #ready(user) {
    if (this.#session.user === user) this.#setState("ready");
  }

  /**
   * @param {unknown} error
   * @param {number} increment
   */
  #fail(error, increment) {
    if (error instanceof ApiError && error.status === 429) return this.#cool(error.retryAfterSeconds ?? 10);
    this.#setState("ready");
    if (error instanceof ApiError && error.isTemporary) {
      this.#tell(`Your +${increment} could not be confirmed for a minute. Look at your score, then press again.`, "error");
    } else {
      this.#tell(explain(error), "error");
    }
  }

  /** @param {number} count seconds until the server takes updates again */
  #cool(count) {
    const readyAt = Date.now() + count * 1000;
    this.#setState("cooling");
    const text = "That was quick! 100 presses a minute is the limit.";
    this.#callbacks.announce(`${text} Ready again in ${seconds(count)}.`);
    const show = () => {
      const left = Math.ceil((readyAt - Date.now()) / 1000);
      if (left > 0) return this.#say(`${text} Ready again in ${seconds(left)}.`, "wait");
      clearInterval(this.#coolingTimer);
      this.#say("");
      this.#setState("ready");
    };
    clearInterval(this.#coolingTimer);
    this.#coolingTimer = setInterval(show, 1000);
    show();
  }

  /**
   * @param {string} text
   * @param {"wait" | "error"} [kind]
   */
  #say(text, kind = "wait") {
    this.#notice.textContent = text;
    this.#notice.dataset.kind = kind;
  }

  /**
   * Show it, and have it read out the first time.
   * @param {string} text
   * @param {"wait" | "error"} kind
   */
  #tell(text, kind) {
    if (this.#notice.textContent !== text) this.#callbacks.announce(text);
    this.#say(text, kind);
  }
}

/**
 * @param {ApiError} error
 * @param {number} increment
 */
function kept(error, increment) {
  const why = error.status === 503 ? "The scoreboard is catching up." : "The scoreboard does not answer.";
  return `${why} Your +${increment} is kept, is sent again by itself and counts once.`;
}

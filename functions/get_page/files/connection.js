// @ts-check
/** How the live connection is doing, in a word, with a countdown and a way to try at once. */

const ANNOUNCE_AFTER_MS = 1_500;
const WORDS = { off: "Not live", connecting: "Connecting…", live: "Live", reconnecting: "Reconnecting…" };

export class Connection {
  #pill;
  #text;
  #button;
  #announce;
  #countdown = 0;
  #lossTimer = 0;
  #lossWasTold = false;

  /**
   * @param {HTMLElement} pill
   * @param {HTMLButtonElement} button
   * @param {(text: string) => void} announce
   */
  constructor(pill, button, announce) {
    this.#pill = pill;
    this.#text = /** @type {HTMLElement} */ (pill.querySelector(".text"));
    this.#button = button;
    this.#announce = announce;
  }

  /** @param {import("./scoreboard.js").State} state */
  show({ name, retryAt = 0, error }) {
    clearInterval(this.#countdown);
    this.#pill.dataset.state = name;
    this.#pill.title = error?.message ?? "";
    this.#text.textContent = WORDS[name];
    if (retryAt - Date.now() > 1500) {
      this.#count(retryAt);
      this.#countdown = setInterval(() => this.#count(retryAt), 500);
      this.#showButton(true);
    } else if (name !== "reconnecting") {
      this.#showButton(false);
    }
    this.#tell(name);
  }

  /** @param {number} retryAt */
  #count(retryAt) {
    const left = Math.ceil((retryAt - Date.now()) / 1000);
    this.#text.textContent = left > 0 ? `Reconnecting in ${left} s` : WORDS.reconnecting;
  }

  /** @param {boolean} isShown */
  #showButton(isShown) {
    const hadFocus = document.activeElement === this.#button;
    this.#button.hidden = !isShown;
    if (hadFocus && !isShown) document.getElementById("score-button")?.focus();
  }

  /**
   * Read out a loss that lasts and its end, not every hiccup.
   * @param {string} name
   */
  #tell(name) {
    if (name === "reconnecting") {
      this.#lossTimer ||= setTimeout(() => {
        this.#lossWasTold = true;
        this.#announce("Connection lost. Reconnecting by itself.");
      }, ANNOUNCE_AFTER_MS);
      return;
    }
    clearTimeout(this.#lossTimer);
    this.#lossTimer = 0;
    if (name === "live" && this.#lossWasTold) this.#announce("Live again.");
    if (name === "live" || name === "off") this.#lossWasTold = false;
  }
}

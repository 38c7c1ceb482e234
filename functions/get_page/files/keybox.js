// @ts-check
/** The box with a new player's API key, closed until somebody looks: shown until it is dismissed, and kept nowhere. */

export class KeyBox {
  #box;
  #key;
  #copied;

  /**
   * @param {HTMLDetailsElement} box
   * @param {() => void} onDismiss
   */
  constructor(box, onDismiss) {
    this.#box = box;
    this.#key = /** @type {HTMLInputElement} */ (box.querySelector("input"));
    this.#copied = /** @type {HTMLElement} */ (box.querySelector("[role=status]"));
    box.querySelector("#copy-key")?.addEventListener("click", () => void this.#copy());
    box.querySelector("#dismiss-key")?.addEventListener("click", () => {
      this.hide();
      onDismiss();
    });
  }

  /** @param {string} apiKey */
  show(apiKey) {
    this.#key.value = apiKey;
    this.#copied.textContent = "";
    this.#box.open = false;
    this.#box.hidden = false;
  }

  hide() {
    this.#key.value = "";
    this.#box.hidden = true;
  }

  async #copy() {
    this.#key.select();
    try {
      await navigator.clipboard.writeText(this.#key.value);
      this.#copied.textContent = "Copied.";
    } catch {
      this.#copied.textContent = "Selected; copy it with Ctrl+C or ⌘C.";
    }
  }
}

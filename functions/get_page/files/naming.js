// @ts-check
/** Choosing the name that others see. */

import { explain } from "./messages.js";

export class Naming {
  #dialog;
  #session;
  #onNamed;
  #isBusy = false;

  /**
   * @param {HTMLDialogElement} dialog
   * @param {import("./session.js").Session} session
   * @param {(name: string) => void} onNamed is told the name as it is shown from now on
   */
  constructor(dialog, session, onNamed) {
    this.#dialog = dialog;
    this.#session = session;
    this.#onNamed = onNamed;
    dialog.querySelector("form")?.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#save();
    });
    dialog.querySelector("button[type=button]")?.addEventListener("click", () => dialog.close());
  }

  /** @param {string} name as it is shown now */
  open(name) {
    this.#input.value = name === this.#session.user?.username ? "" : name;
    this.#say("");
    this.#dialog.showModal();
  }

  get #input() {
    return /** @type {HTMLInputElement} */ (this.#dialog.querySelector("input"));
  }

  /** @param {string} text */
  #say(text) {
    /** @type {HTMLElement} */ (this.#dialog.querySelector(".notice")).textContent = text;
    this.#input.setAttribute("aria-invalid", String(text !== ""));
  }

  async #save() {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#say("");
    try {
      const { data } = await this.#session.call("PATCH", "/api/me", { body: { displayName: this.#input.value.trim() || null } });
      this.#dialog.close();
      this.#onNamed(data.displayName);
    } catch (error) {
      this.#say(explain(error));
      this.#input.select();
    } finally {
      this.#isBusy = false;
    }
  }
}

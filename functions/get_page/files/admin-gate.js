// @ts-check
/** The way in for admins. */

import { explainToAdmin } from "./admin-messages.js";

/** Who looks at the form wants to know soon. */
const GIVE_UP_AFTER_MS = 15_000;

export class Gate {
  #form;
  #error;
  #isBusy = false;

  /**
   * @param {HTMLFormElement} form
   * @param {import("./session.js").Session} session
   * @param {() => void} onSignedIn
   */
  constructor(form, session, onSignedIn) {
    this.#form = form;
    this.#error = /** @type {HTMLElement} */ (form.querySelector("[role=alert]"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#signIn(session, onSignedIn);
    });
  }

  /** @param {string} text */
  say(text) {
    this.#error.textContent = text;
  }

  focus() {
    this.#field("username").focus();
  }

  /**
   * @param {import("./session.js").Session} session
   * @param {() => void} onSignedIn
   */
  async #signIn(session, onSignedIn) {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.say("");
    try {
      await session.logIn(this.#field("username").value.trim(), this.#field("password").value, {
        giveUpAfterMs: GIVE_UP_AFTER_MS,
        waitWhenLimited: false,
        onRetry: (error) => this.say(`${explainToAdmin(error)} Trying again…`),
      });
      this.#form.reset();
      onSignedIn();
    } catch (error) {
      this.say(explainToAdmin(error));
      this.#field("password").select();
    } finally {
      this.#isBusy = false;
    }
  }

  /** @param {string} name */
  #field(name) {
    return /** @type {HTMLInputElement} */ (this.#form.elements.namedItem(name));
  }
}

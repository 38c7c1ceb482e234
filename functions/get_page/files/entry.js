// @ts-check
/** The way in: sign in or register. */

import { explain } from "./messages.js";
import { ScoreboardError as ApiError } from "./scoreboard.js";

/** Which field an error speaks of, so that the focus can go where the remedy is. @type {Record<string, string>} */
const FIELD = {
  invalid_username: "username",
  username_taken: "username",
  weak_password: "password",
  invalid_credentials: "password",
};

/** Who looks at the form wants to know soon. */
const GIVE_UP_AFTER_MS = 15_000;

export class Entry {
  #form;
  #session;
  #callbacks;
  #isBusy = false;

  /**
   * @param {HTMLFormElement} form
   * @param {import("./session.js").Session} session
   * @param {{ onSignedIn: () => void, onApiKey: (apiKey: string) => void }} callbacks
   */
  constructor(form, session, callbacks) {
    this.#form = form;
    this.#session = session;
    this.#callbacks = callbacks;
    // Only the choice itself: a message cleared when a field is left would move the button away under the pressing finger.
    for (const radio of form.querySelectorAll("input[name=mode]")) radio.addEventListener("change", () => this.#showMode());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    const toggle = this.#element("show-password");
    toggle.addEventListener("click", () => this.#showPassword(toggle.getAttribute("aria-pressed") !== "true"));
    this.#showMode();
  }

  focus() {
    this.#input("username").focus();
  }

  /** @param {string} text */
  say(text) {
    this.#element("entry-error").textContent = text;
  }

  get #isNew() {
    return new FormData(this.#form).get("mode") === "register";
  }

  #showMode() {
    this.#element("password-hint").hidden = !this.#isNew;
    this.#input("password").autocomplete = this.#isNew ? "new-password" : "current-password";
    this.#element("entry-button").textContent = this.#isNew ? "Create player" : "Sign in";
    this.#blame(null);
    this.say("");
  }

  /** @param {boolean} isShown */
  #showPassword(isShown) {
    this.#element("show-password").setAttribute("aria-pressed", String(isShown));
    this.#input("password").type = isShown ? "text" : "password";
  }

  async #submit() {
    if (this.#isBusy) return;
    this.#setBusy(true);
    this.#blame(null);
    this.say("");
    const username = this.#input("username").value.trim();
    const password = this.#input("password").value;
    try {
      if (this.#isNew) await this.#register(username, password);
      await this.#session.logIn(username, password, this.#patience);
      this.#form.reset();
      this.#showPassword(false);
      this.#showMode();
      this.#callbacks.onSignedIn();
    } catch (error) {
      this.say(explain(error));
      this.#blame(error instanceof ApiError ? (FIELD[error.code] ?? null) : null);
    } finally {
      this.#setBusy(false);
    }
  }

  /**
   * @param {string} username
   * @param {string} password
   */
  async #register(username, password) {
    this.#callbacks.onApiKey((await this.#session.register(username, password, this.#patience)).apiKey);
    // The player exists from here on: should signing in fail now, the next press must not register again.
    const signIn = /** @type {HTMLInputElement} */ (this.#form.querySelector('input[value="sign-in"]'));
    signIn.checked = true;
    this.#showMode();
  }

  /** Say what is waited for; a limit is told at once. @returns {import("./scoreboard.js").Patience} */
  get #patience() {
    return { giveUpAfterMs: GIVE_UP_AFTER_MS, waitWhenLimited: false, onRetry: (error) => this.say(`${explain(error)} Trying again…`) };
  }

  /** @param {boolean} isBusy */
  #setBusy(isBusy) {
    this.#isBusy = isBusy;
    this.#element("entry-button").setAttribute("aria-disabled", String(isBusy));
  }

  /** @param {string | null} name of the field that has to be changed */
  #blame(name) {
    for (const field of ["username", "password"]) {
      this.#input(field).setAttribute("aria-invalid", String(field === name));
    }
    if (name) this.#input(name).select();
  }

  /** @param {string} name */
  #input(name) {
    return /** @type {HTMLInputElement} */ (this.#form.elements.namedItem(name));
  }

  /** @param {string} id */
  #element(id) {
    return /** @type {HTMLElement} */ (this.#form.querySelector(`#${id}`));
  }
}

// @ts-check
/** Accounts: who there is, who may do what, and changing that. */

import { confirmed } from "./admin-confirm.js";
import { make, table } from "./dom.js";
import { Listing } from "./admin-listing.js";

const LIMIT = 50;

/** @typedef {{ userId: string, username: string, role: "player" | "admin", disabled: boolean }} Account */

export class Accounts {
  #session;
  #form;
  #section;
  #listing;

  /**
   * @param {import("./session.js").Session} session
   * @param {HTMLElement} section
   */
  constructor(session, section) {
    this.#session = session;
    this.#section = section;
    this.#form = /** @type {HTMLFormElement} */ (section.querySelector("form"));
    this.#listing = new Listing(section, (cursor) => this.#ask(cursor), (rows) => this.#draw(rows), "Nobody's name begins so.");
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.show();
    });
  }

  show() {
    this.#listing.say("");
    void this.#listing.load();
  }

  hide() {
    this.#listing.clear();
  }

  /** @param {string} cursor */
  #ask(cursor) {
    const search = String(new FormData(this.#form).get("search") ?? "").trim();
    const query = new URLSearchParams({ search, limit: String(LIMIT), ...(cursor ? { cursor } : {}) });
    return this.#session.call("GET", `/api/admin/users?${query}`);
  }

  /** @param {Account[]} rows */
  #draw(rows) {
    const lines = rows.map((account) => [
      make("strong", { dir: "auto" }, account.username),
      account.role,
      make("span", { class: "chip", "data-state": account.disabled ? "down" : "up" }, make("span", { class: "dot", "aria-hidden": "true" }), account.disabled ? "disabled" : "enabled"),
      make("span", { class: "id" }, account.userId),
      make("span", { class: "row-actions" }, this.#roleButton(account), this.#stateButton(account), make("a", { href: `#audit?user=${encodeURIComponent(account.userId)}`, class: "quiet" }, "Audit")),
    ]);
    return table("Accounts by name", ["Name", "Role", "State", "Id", "Actions"], lines);
  }

  /** @param {Account} account */
  #roleButton(account) {
    const role = account.role === "admin" ? "player" : "admin";
    const text = role === "admin" ? "Admins can do everything on this page and play no more." : "They can open this page no more, and play.";
    const ask = () => this.#change(account, { role }, [`Make ${account.username} ${role === "admin" ? "an admin" : "a player"}?`, text, `Make ${role}`]);
    return make("button", { type: "button", class: "quiet", "data-change": `role:${account.userId}`, click: ask }, `Make ${role}`, make("span", { class: "sr-only" }, ` of ${account.username}`));
  }

  /** @param {Account} account */
  #stateButton(account) {
    const disabled = !account.disabled;
    const verb = disabled ? "Disable" : "Enable";
    const text = disabled ? "All their sessions end at once, and they cannot sign in. Their score stays." : "They can sign in again; their old sessions stay ended.";
    const ask = () => this.#change(account, { disabled }, [`${verb} ${account.username}?`, text, verb]);
    return make("button", { type: "button", class: "quiet", "data-change": `state:${account.userId}`, click: ask }, verb, make("span", { class: "sr-only" }, ` ${account.username}`));
  }

  /**
   * @param {Account} account
   * @param {{ role?: string, disabled?: boolean }} body
   * @param {[string, string, string]} question
   */
  async #change(account, body, question) {
    const self = account.userId === this.#session.user?.userId ? " This is your own account." : "";
    if (!(await confirmed(question[0], question[1] + self, question[2]))) return;
    try {
      const { data } = await this.#session.call("PATCH", `/api/admin/users/${encodeURIComponent(account.userId)}`, { body });
      this.#listing.update((row) => (row.userId === data.userId ? data : row));
      this.#listing.say(`${data.username} is ${data.disabled ? "a disabled" : "an enabled"} ${data.role} now.`);
      const changed = "role" in body ? "role" : "state";
      /** @type {HTMLElement | null} */ (this.#section.querySelector(`[data-change="${changed}:${CSS.escape(data.userId)}"]`))?.focus();
    } catch (error) {
      this.#listing.fail(error);
    }
  }
}

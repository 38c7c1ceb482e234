// @ts-check
/** Accounts: who there is, who may do what, and changing that. */

import { confirmed } from "./admin-confirm.js";
import { Listing } from "./admin-listing.js";
import { MAIN } from "./chooser.js";
import { make, table } from "./dom.js";
import { number } from "./messages.js";
import { ScoreboardError as ApiError } from "./scoreboard.js";

const LIMIT = 50;

/** @typedef {{ userId: string, username: string, displayName: string, role: "player" | "admin", disabled: boolean }} Account */

export class Accounts {
  #session;
  #form;
  #section;
  #listing;
  /** @type {Map<string, { rank: number, score: number }>} */
  #places = new Map();
  #run = 0;

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
    this.#places.clear();
    this.#listing.say("");
    void this.#listing.load();
  }

  hide() {
    this.#run += 1;
    this.#listing.clear();
  }

  /** @param {string} cursor */
  #ask(cursor) {
    const search = String(new FormData(this.#form).get("search") ?? "").trim();
    const query = new URLSearchParams({ search, limit: String(LIMIT), ...(cursor ? { cursor } : {}) });
    return this.#session.call("GET", `/api/admin/users?${query}`);
  }

  /**
   * Ask for the places of players, most of them at once, and write them where they belong; a store that is away is asked once.
   * @param {Account[]} rows
   * @param {Node} drawn
   */
  async #place(rows, drawn) {
    const run = ++this.#run;
    const write = () => {
      for (const cell of /** @type {HTMLElement} */ (drawn).querySelectorAll("[data-place]")) {
        const [userId, what] = /** @type {HTMLElement} */ (cell).dataset.place?.split(" ") ?? [];
        const place = this.#places.get(userId);
        if (place) cell.textContent = number(what === "rank" ? place.rank : place.score);
      }
    };
    const missing = () => rows.filter(({ userId, role, disabled }) => role === "player" && !disabled && !this.#places.has(userId));
    try {
      if (missing().length) for (const line of (await this.#session.top(100)).data) this.#places.set(line.userId, line);
      write();
      for (const { userId } of missing()) {
        if (run !== this.#run) return;
        const place = await this.#placeOf(userId);
        if (place) this.#places.set(userId, place);
        write();
      }
    } catch {
      // Redis is away: the accounts are there, and their places are not.
    }
  }

  /**
   * Null for somebody who has no place on the board.
   * @param {string} userId
   */
  async #placeOf(userId) {
    try {
      return (await this.#session.call("GET", `/api/score/${encodeURIComponent(userId)}?neighbours=0`)).data;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return null;
      throw error;
    }
  }

  /** @param {Account[]} rows */
  #draw(rows) {
    const lines = rows.map((account) => [
      make("span", { class: "names" }, make("strong", { dir: "auto" }, account.displayName), account.displayName === account.username ? null : make("span", { class: "id" }, account.username)),
      account.role,
      make("span", { class: "chip", "data-state": account.disabled ? "down" : "up" }, make("span", { class: "dot", "aria-hidden": "true" }), account.disabled ? "disabled" : "enabled"),
      make("span", { "data-place": `${account.userId} rank` }, "–"),
      make("span", { "data-place": `${account.userId} score` }, "–"),
      make("span", { class: "id" }, account.userId),
      make("span", { class: "row-actions" }, this.#roleButton(account), this.#stateButton(account), this.#nameButton(account), this.#moderationLink(account), make("a", { href: `#audit?user=${encodeURIComponent(account.userId)}`, class: "quiet" }, "Audit")),
    ]);
    const drawn = table("Accounts by name", ["Name", "Role", "State", "Rank", "Score", "Id", "Actions"], lines);
    void this.#place(rows, drawn);
    return drawn;
  }

  /** @param {Account} account */
  #moderationLink({ username, role }) {
    if (role !== "player") return null;
    return make("a", { href: `#moderation?${new URLSearchParams({ board: MAIN, player: username })}`, class: "quiet" }, "Moderate", make("span", { class: "sr-only" }, ` ${username}`));
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
    const text = disabled ? "All their sessions end at once, they cannot sign in, and they leave the board until they are enabled again." : "They can sign in again; their old sessions stay ended.";
    const ask = () => this.#change(account, { disabled }, [`${verb} ${account.username}?`, text, verb]);
    return make("button", { type: "button", class: "quiet", "data-change": `state:${account.userId}`, click: ask }, verb, make("span", { class: "sr-only" }, ` ${account.username}`));
  }

  /** @param {Account} account */
  #nameButton(account) {
    if (account.displayName === account.username) return null;
    const text = "Others see the username again, at once. They can choose another name.";
    const ask = () => this.#change(account, { displayName: null }, [`Take the name of ${account.username} away?`, text, "Take it away"]);
    return make("button", { type: "button", class: "quiet", "data-change": `name:${account.userId}`, click: ask }, "Take name away", make("span", { class: "sr-only" }, ` of ${account.username}`));
  }

  /**
   * @param {Account} account
   * @param {{ role?: string, disabled?: boolean, displayName?: null }} body
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

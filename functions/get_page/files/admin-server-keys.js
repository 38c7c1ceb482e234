// @ts-check
/** Keys of games' servers: each is shown once, changed and revoked with the next request. */

import { confirmed } from "./admin-confirm.js";
import { Listing } from "./admin-listing.js";
import { make, slot, table, time } from "./dom.js";
import { KeyBox } from "./keybox.js";

const COLUMNS = ["Name", "Key", "Boards", "May", "Made", "Changed", "State", "Actions"];

/** @typedef {{ keyId: string, name: string, boards: string[] | null, scopes: string[], createdBy: string, createdAt: string, rotatedAt: string | null, revokedAt: string | null }} Key */

export class ServerKeys {
  #session;
  #form;
  #listing;
  #box;
  #details;

  /**
   * @param {HTMLElement} element
   * @param {import("./session.js").Session} session
   */
  constructor(element, session) {
    this.#session = session;
    this.#form = /** @type {HTMLFormElement} */ (element.querySelector("form"));
    this.#details = /** @type {HTMLDetailsElement} */ (element.querySelector("details"));
    this.#box = new KeyBox(this.#details, () => this.#input("name").focus());
    this.#listing = new Listing(element, () => this.#ask(), (rows) => this.#draw(rows), "No server has a key.");
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#make();
    });
  }

  show() {
    void this.#listing.load();
  }

  hide() {
    this.#box.hide();
    this.#form.reset();
    this.#listing.clear();
  }

  /** @returns {Promise<import("./admin-listing.js").Page>} */
  async #ask() {
    const { data } = await this.#session.call("GET", "/api/admin/server-keys");
    return { data, nextCursor: null };
  }

  /** @param {Key[]} keys */
  #draw(keys) {
    const lines = keys.map((key) => [
      make("strong", { dir: "auto" }, key.name),
      make("span", { class: "id" }, key.keyId),
      key.boards ? key.boards.join(", ") : "all",
      key.scopes.join(", "),
      make("span", { class: "names" }, time(key.createdAt), make("a", { href: `#audit?user=${encodeURIComponent(key.createdBy)}`, title: key.createdBy }, "by an admin")),
      key.rotatedAt ? time(key.rotatedAt) : "–",
      key.revokedAt ? make("span", {}, "revoked ", time(key.revokedAt)) : "good",
      key.revokedAt ? "" : this.#actions(key),
    ]);
    return table("Server keys, newest first", COLUMNS, lines);
  }

  /** @param {Key} key */
  #actions(key) {
    const rotate = () => void this.#rotate(key);
    const revoke = () => void this.#revoke(key);
    const of = () => make("span", { class: "sr-only" }, ` of ${key.name}`);
    return make(
      "span",
      { class: "row-actions" },
      make("button", { type: "button", class: "quiet", click: rotate }, "Rotate", of()),
      make("button", { type: "button", class: "quiet", click: revoke }, "Revoke", of()),
    );
  }

  async #make() {
    const name = this.#input("name").value.trim();
    const boards = this.#input("boards").value.split(/[\s,]+/).filter(Boolean);
    if (!name) {
      this.#listing.say("Say which server gets the key.", "error");
      return this.#input("name").focus();
    }
    const scopes = new FormData(this.#form).getAll("scopes");
    if (!scopes.length) return this.#listing.say("Say what the server may do with it.", "error");
    const made = () => this.#session.call("POST", "/api/admin/server-keys", { body: { name, scopes, ...(boards.length ? { boards } : {}) } });
    if (await this.#change(made, `${name} has a key. Copy it now: it is shown this once.`)) this.#form.reset();
  }

  /** @param {Key} key */
  async #rotate({ keyId, name }) {
    const text = "Another secret takes its place at once: the server is refused until it has the new one, which is shown once.";
    if (!(await confirmed(`Rotate the key of ${name}?`, text, "Rotate"))) return;
    const rotated = () => this.#session.call("POST", `/api/admin/server-keys/${encodeURIComponent(keyId)}/secret`);
    await this.#change(rotated, `The key of ${name} is another one. Copy it now: it is shown this once.`);
  }

  /** @param {Key} key */
  async #revoke({ keyId, name }) {
    const text = "The server is refused with its next request, for good. What it has written stays.";
    if (!(await confirmed(`Revoke the key of ${name}?`, text, "Revoke"))) return;
    this.#box.hide();
    await this.#change(() => this.#session.call("DELETE", `/api/admin/server-keys/${encodeURIComponent(keyId)}`), `The key of ${name} is revoked.`);
  }

  /**
   * @param {() => Promise<any>} send
   * @param {string} done
   */
  async #change(send, done) {
    try {
      const answer = await send();
      await this.#listing.load();
      this.#listing.say(done);
      if (!answer) return true;
      this.#box.show(answer.data.key);
      this.#details.open = true;
      this.#details.querySelector("input")?.focus();
      return true;
    } catch (error) {
      this.#listing.fail(error);
      return false;
    }
  }

  /** @param {string} name */
  #input(name) {
    return /** @type {HTMLInputElement} */ (this.#form.elements.namedItem(name));
  }
}

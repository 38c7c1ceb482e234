// @ts-check
/** The audit log, searched by whom, what, when and which request. */

import { Listing } from "./admin-listing.js";
import { make, table, time } from "./dom.js";
import { ScoreboardError as ApiError } from "./scoreboard.js";

const LIMIT = 50;
const FIELDS = ["user", "actor", "action", "requestId", "from", "to"];
const USERNAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{2,49}$/;
const NOBODYS_NAME = ["anonymous", "operator"];

export class Audit {
  #session;
  #form;
  #actions;
  #listing;

  /**
   * @param {import("./session.js").Session} session
   * @param {HTMLElement} section
   */
  constructor(session, section) {
    this.#session = session;
    this.#form = /** @type {HTMLFormElement} */ (section.querySelector("form"));
    this.#actions = /** @type {HTMLElement} */ (section.querySelector("datalist"));
    this.#listing = new Listing(section, (cursor) => this.#ask(cursor), (rows, names) => this.#draw(rows, names), "Nothing fits.");
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const wanted = new URLSearchParams(this.#wanted());
      const hash = wanted.size ? `#audit?${wanted}` : "#audit";
      if (hash === location.hash) this.#load();
      else location.hash = hash;
    });
    this.#form.addEventListener("reset", () => {
      location.hash = "#audit";
    });
  }

  /** @param {URLSearchParams} wanted what the address asks for */
  show(wanted) {
    for (const name of FIELDS) /** @type {HTMLInputElement} */ (this.#form.elements.namedItem(name)).value = wanted.get(name) ?? "";
    this.#load();
  }

  hide() {
    this.#listing.clear();
  }

  #load() {
    this.#listing.say("");
    void this.#listing.load();
  }

  /** What is filled in. @returns {Record<string, string>} */
  #wanted() {
    const filled = [...new FormData(this.#form)].map(([name, value]) => [name, String(value).trim()]);
    return Object.fromEntries(filled.filter(([, value]) => value));
  }

  /** @param {string} cursor */
  async #ask(cursor) {
    const { user, actor, from, to, ...rest } = this.#wanted();
    const query = new URLSearchParams({ ...rest, limit: String(LIMIT), ...(cursor ? { cursor } : {}) });
    if (user) query.set("userId", await idOf(this.#session, user));
    if (actor) query.set("actor", await idOf(this.#session, actor));
    if (from) query.set("from", new Date(from).toISOString());
    if (to) query.set("to", new Date(to).toISOString());
    return this.#session.call("GET", `/api/admin/audit-log?${query}`);
  }

  /**
   * @param {any[]} rows
   * @param {Record<string, string>} names
   */
  #draw(rows, names) {
    this.#actions.replaceChildren(...[...new Set(rows.map((entry) => entry.action))].sort().map((action) => make("option", { value: action })));
    const lines = rows.map((entry) => [
      time(entry.at),
      make("strong", { class: "action" }, entry.action),
      link("actor", entry.actor, names),
      entry.userId ? link("user", entry.userId, names) : "–",
      details(entry.detail),
      entry.sourceIp ?? "–",
      entry.requestId ? link("requestId", entry.requestId, {}) : "–",
    ]);
    return table("Entries of the audit log, newest first", ["Time", "Action", "Done by", "User", "Details", "From", "Request"], lines);
  }
}

/**
 * The id behind a name; whatever is nobody's name is taken as it is.
 * @param {import("./session.js").Session} session
 * @param {string} name
 */
async function idOf(session, name) {
  if (NOBODYS_NAME.includes(name) || !USERNAME.test(name)) return name;
  try {
    const { data } = await session.call("GET", `/api/admin/users?username=${encodeURIComponent(name)}`);
    return data[0]?.userId ?? name;
  } catch (error) {
    if (error instanceof ApiError && error.status === 422) return name;
    throw error;
  }
}

/**
 * To the entries that have the same.
 * @param {string} field
 * @param {string} value
 * @param {Record<string, string>} names
 */
function link(field, value, names) {
  const href = `#audit?${new URLSearchParams({ [field]: value })}`;
  return make("a", { href, class: names[value] ? null : "id", title: value }, names[value] ?? value);
}

/** @param {Record<string, unknown>} detail */
export function details(detail) {
  const entries = Object.entries(detail);
  if (!entries.length) return "–";
  return make("span", { class: "details" }, entries.map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(" · "));
}

// @ts-check
/** Moderation: taking cheaters off the boards, correcting scores, and what was decided so far. */

import { confirmed } from "./admin-confirm.js";
import { Listing } from "./admin-listing.js";
import { MAIN } from "./chooser.js";
import { make, slot, table, time } from "./dom.js";
import { number, players } from "./messages.js";
import { ScoreboardError as ApiError } from "./scoreboard.js";

const LIMIT = 20;
const EVERY_BOARD = "*";
const SHOWN_NAMES = 5;
/** @type {Record<string, string>} */
const DONE = { hide: "hidden", show: "shown", strike: "struck out", adjust: "adjusted", undo: "undone" };
/** @type {Record<string, [string, string]>} */
const MEANING = {
  hide: ["Hide", "Nobody else finds them any more, in no list, count or season. They go on playing and are not told."],
  show: ["Show", "They are back where their scores put them, with what they scored meanwhile."],
  strike: ["Strike out", "The entry counts no more, in every season in which it did. It stays in the ledger."],
  adjust: ["Adjust", "It counts as an entry of yours, from now on."],
  undo: ["Undo", "What was decided counts no more. Both decisions stay in the list."],
};

/** @typedef {{ id: number, board: string, userId: string, action: string, reason: string, moderator: string, moderatedAt: string, undoneBy: number | null, undoes?: number, struck?: string, value?: number, second?: number }} Decision */
/** @typedef {{ requestId: string, value?: number, increment?: number, second?: number, acceptedAt?: string, createdAt?: string, struckBy?: number | null, metadata?: unknown }} Entry */

export class Moderation {
  #session;
  #form;
  #players;
  #decisions;
  #entries;
  #element;
  /** Whose decisions are seen: an empty id is everybody. */
  #player = { userId: "", name: "" };

  /**
   * @param {import("./session.js").Session} session
   * @param {HTMLElement} section
   */
  constructor(session, section) {
    this.#session = session;
    this.#element = section;
    this.#form = /** @type {HTMLFormElement} */ (section.querySelector("form"));
    this.#players = /** @type {HTMLFormElement} */ (section.querySelector("#several"));
    this.#decisions = new Listing(section, (cursor) => this.#askDecisions(cursor), (rows, names) => this.#drawDecisions(rows, names), "Nothing was decided.");
    const entries = /** @type {HTMLElement} */ (section.querySelector("#entries"));
    this.#entries = new Listing(entries, (cursor) => this.#askEntries(cursor), (rows) => this.#drawEntries(rows), "There is no entry.");
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const action = /** @type {HTMLButtonElement} */ (event.submitter)?.value;
      if (action) void this.#decideOnPlayer(action);
      else this.#look();
    });
    this.#players.addEventListener("change", () => {
      const who = /** @type {HTMLSelectElement} */ (this.#players.elements.namedItem("who")).value;
      for (const field of this.#players.querySelectorAll("input")) field.disabled = who === "simulated";
    });
    this.#players.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#decideOnSeveral(/** @type {HTMLButtonElement} */ (event.submitter).value);
    });
  }

  /** @param {URLSearchParams} wanted what the address asks for */
  async show(wanted) {
    const board = wanted.get("board") || EVERY_BOARD;
    const name = wanted.get("player") ?? "";
    this.#decisions.say("");
    this.#input("player").value = name;
    this.#player = { userId: "", name: "" };
    this.#offerDecisions(board);
    try {
      await this.#offerBoards(board);
      const found = name ? await accountsCalled(this.#session, name) : [];
      if (name && found.length !== 1) {
        this.#decisions.clear();
        const several = `Several players are called ${name}. Look one of them up: ${found.map(({ username }) => username).join(", ")}.`;
        return this.#decisions.say(found.length ? several : `There is no player called ${name}.`, "error");
      }
      if (name) this.#player = { userId: found[0].userId, name: found[0].username };
    } catch (error) {
      return this.#decisions.fail(error);
    }
    const hasEntries = this.#offerDecisions(board);
    void this.#decisions.load();
    if (hasEntries) void this.#entries.load();
  }

  hide() {
    this.#form.reset();
    this.#players.reset();
    this.#decisions.clear();
    this.#entries.clear();
  }

  /**
   * What may be decided about the player, if there is one.
   * @param {string} board
   * @returns {boolean} whether there is a player with entries on one board
   */
  #offerDecisions(board) {
    const isKnown = Boolean(this.#player.userId);
    const hasEntries = isKnown && board !== EVERY_BOARD;
    slot(this.#element, "decision").hidden = !isKnown;
    slot(this.#element, "corrections").hidden = board === EVERY_BOARD;
    /** @type {HTMLElement} */ (this.#element.querySelector("#entries")).hidden = !hasEntries;
    return hasEntries;
  }

  /** @param {string} board which is chosen */
  async #offerBoards(board) {
    const select = this.#input("board");
    const { data } = await this.#session.call("GET", "/api/boards");
    const ids = [EVERY_BOARD, ...data.map((/** @type {{ id: string }} */ { id }) => id)];
    if (!ids.includes(board)) ids.push(board);
    select.replaceChildren(...ids.map((id) => make("option", { value: id }, id === EVERY_BOARD ? "every board" : id)));
    select.value = board;
  }

  get #board() {
    return this.#input("board").value;
  }

  get #path() {
    return `/api/admin/boards/${encodeURIComponent(this.#board)}/moderation`;
  }

  #look() {
    const name = this.#input("player").value.trim();
    const hash = `#moderation?${new URLSearchParams({ board: this.#board, ...(name ? { player: name } : {}) })}`;
    if (hash === location.hash) void this.show(new URLSearchParams(hash.split("?")[1]));
    else location.hash = hash;
  }

  /** @param {string} cursor */
  async #askDecisions(cursor) {
    const { userId, name } = this.#player;
    const query = new URLSearchParams({ limit: String(LIMIT), ...(userId ? { userId } : {}), ...(cursor ? { cursor } : {}) });
    const page = await this.#session.call("GET", `${this.#path}?${query}`);
    const boards = (page.hiddenOn ?? []).map((/** @type {string} */ id) => (id === EVERY_BOARD ? "every board" : id));
    slot(this.#element, "hidden").textContent = boards.length ? `${name} is hidden on ${boards.join(", ")}.` : `${name} is not hidden.`;
    return page;
  }

  /** @param {string} cursor */
  #askEntries(cursor) {
    const of = encodeURIComponent(this.#player.userId);
    const path = this.#board === MAIN ? `/api/score/${of}/history` : `/api/boards/${encodeURIComponent(this.#board)}/scores/${of}/entries`;
    return this.#session.call("GET", `${path}?${new URLSearchParams({ limit: String(LIMIT), ...(cursor ? { cursor } : {}) })}`);
  }

  /**
   * @param {Decision[]} rows
   * @param {Record<string, string>} names
   */
  #drawDecisions(rows, names) {
    const person = (/** @type {string} */ id) => make("a", { href: `#audit?user=${encodeURIComponent(id)}`, class: names[id] ? null : "id", title: id }, names[id] ?? id);
    const lines = rows.map((decision) => [
      decision.id,
      time(decision.moderatedAt),
      decision.board === EVERY_BOARD ? "every board" : decision.board,
      make("a", { href: `#moderation?${new URLSearchParams({ board: decision.board, player: decision.userId })}`, title: decision.userId }, names[decision.userId] ?? decision.userId),
      make("span", { class: "names" }, make("strong", {}, decision.action), aboutOf(decision)),
      make("span", { dir: "auto" }, decision.reason),
      /^(operator|server:)/.test(decision.moderator) ? decision.moderator : person(decision.moderator),
      decision.undoneBy ? `undone by ${decision.undoneBy}` : decision.action === "undo" ? "–" : this.#undo(decision),
    ]);
    return table("Decisions, newest first", ["No", "Time", "Board", "Player", "Decision", "Reason", "By", "Actions"], lines);
  }

  /** @param {Decision} decision */
  #undo({ id, board }) {
    const click = () => void this.#decide("undo", { entryId: id }, `decision ${id}`, board);
    return make("button", { type: "button", class: "quiet", click }, "Undo", make("span", { class: "sr-only" }, ` ${id}`));
  }

  /** @param {Entry[]} rows */
  #drawEntries(rows) {
    const lines = rows.map((entry) => [
      time(entry.acceptedAt ?? entry.createdAt ?? ""),
      number(entry.value ?? entry.increment ?? 0),
      entry.second === undefined ? "–" : number(entry.second),
      entry.metadata === undefined ? "–" : make("span", { class: "details" }, JSON.stringify(entry.metadata)),
      make("span", { class: "id" }, entry.requestId),
      entry.struckBy ? `struck out by ${entry.struckBy}` : this.#strike(entry),
    ]);
    return table("Entries, newest first", ["Time", "Value", "Second", "Metadata", "Request", "Actions"], lines);
  }

  /** @param {Entry} entry */
  #strike({ requestId }) {
    const click = () => void this.#decide("strike", { userId: this.#player.userId, requestId }, `the entry ${requestId}`);
    return make("button", { type: "button", class: "quiet", click }, "Strike out", make("span", { class: "sr-only" }, ` ${requestId}`));
  }

  /** @param {string} action */
  async #decideOnPlayer(action) {
    const { userId, name } = this.#player;
    if (action !== "adjust") return this.#decide(action, { userId }, name);
    const amounts = [this.#input("value"), this.#input("second")].map((field) => [field.name, field.value.trim()]).filter(([, value]) => value);
    const wrong = amounts.find(([, value]) => !/^[-+]?\d{1,16}$/.test(value));
    if (wrong || !this.#input("value").value.trim()) {
      this.#decisions.say("A value is a whole number.", "error");
      return this.#input(wrong ? wrong[0] : "value").focus();
    }
    await this.#decide(action, { userId, ...Object.fromEntries(amounts.map(([field, value]) => [field, Number(value)])) }, name);
  }

  /**
   * @param {string} action
   * @param {Record<string, unknown>} about
   * @param {string} what as the question names it
   * @param {string} [board] another one than the chosen one
   */
  async #decide(action, about, what, board = this.#board) {
    const reason = this.#reason();
    const [verb, text] = MEANING[action];
    const where = board === EVERY_BOARD ? "every board" : board;
    if (!reason || !(await confirmed(`${verb} ${what} on ${where}?`, text, verb))) return;
    try {
      const { data } = await this.#session.call("POST", `/api/admin/boards/${encodeURIComponent(board)}/moderation`, { body: { action, reason, ...about } });
      this.#input("value").value = this.#input("second").value = "";
      await this.#reload();
      this.#decisions.say(data.changed ? `${what} is ${DONE[action]} on ${where}.` : `That is written down; it changes nothing: ${what} was ${DONE[action]} already.`);
    } catch (error) {
      this.#decisions.fail(error);
    }
  }

  /** @param {string} action */
  async #decideOnSeveral(action) {
    const reason = this.#reason();
    if (!reason) return;
    const filled = [...new FormData(this.#players)].map(([name, value]) => [name, String(value).trim()]).filter(([, value]) => value);
    const { who, ...rest } = Object.fromEntries(filled);
    const instants = Object.entries(rest).map(([name, value]) => [name, name === "network" ? value : new Date(value).toISOString()]);
    const chosen = who === "simulated" ? { simulated: true } : Object.fromEntries(instants);
    const body = { action, reason, players: chosen };
    const [verb, text] = MEANING[action];
    try {
      const { data } = await this.#session.call("POST", this.#path, { body: { ...body, preview: true } });
      if (!data.players) return this.#decisions.say("Nobody is meant, or it changes nothing for them.");
      const names = data.first.slice(0, SHOWN_NAMES).map((/** @type {{ username: string }} */ { username }) => username);
      const others = data.players - names.length;
      const list = names.join(", ") + (others ? ` and ${number(others)} more` : "");
      if (!(await confirmed(`${verb} ${players(data.players)}?`, `${list}. ${text}`, verb))) return;
      const done = await this.#session.call("POST", this.#path, { body });
      await this.#reload();
      this.#decisions.say(`${players(done.data.players)} ${done.data.players === 1 ? "is" : "are"} ${DONE[action]}.`);
    } catch (error) {
      this.#decisions.fail(error);
    }
  }

  /** Empty, and said, when there is none. */
  #reason() {
    const field = this.#input("reason");
    const reason = field.value.trim();
    if (!reason) {
      this.#decisions.say("Say why: the reason stands with the decision.", "error");
      field.focus();
    }
    return reason;
  }

  async #reload() {
    await this.#decisions.load();
    if (this.#player.userId && this.#board !== EVERY_BOARD) await this.#entries.load();
  }

  /** @param {string} name */
  #input(name) {
    return /** @type {HTMLInputElement} */ (this.#form.elements.namedItem(name));
  }
}

/**
 * Whose username or id it is, or else all whose display name it is.
 * @param {import("./session.js").Session} session
 * @param {string} name
 * @returns {Promise<{ userId: string, username: string, displayName: string }[]>}
 */
async function accountsCalled(session, name) {
  const ask = async (/** @type {Record<string, string>} */ query) => {
    try {
      return (await session.call("GET", `/api/admin/users?${new URLSearchParams(query)}`)).data;
    } catch (error) {
      if (error instanceof ApiError && error.status === 422) return []; // Nobody can be called so.
      throw error;
    }
  };
  for (const way of ["username", "userId"]) {
    const found = await ask({ [way]: name });
    if (found.length) return found;
  }
  return (await ask({ search: name, limit: "100" })).filter((/** @type {{ displayName: string }} */ { displayName }) => displayName === name);
}

/** @param {Decision} decision */
function aboutOf({ struck, undoes, value, second }) {
  if (struck) return make("span", { class: "id" }, struck);
  if (undoes) return make("span", {}, `decision ${undoes}`);
  return value === undefined ? null : make("span", {}, second ? `${number(value)}, ${number(second)}` : number(value));
}

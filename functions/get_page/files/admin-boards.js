// @ts-check
/** Boards: which there are, making and changing them, their seasons, and ending what cannot be begun again. */

import { BoardForm } from "./admin-board-form.js";
import { BoardSeasons } from "./admin-board-seasons.js";
import { confirmed } from "./admin-confirm.js";
import { Listing } from "./admin-listing.js";
import { ServerKeys } from "./admin-server-keys.js";
import { MAIN } from "./chooser.js";
import { make, slot, table, time } from "./dom.js";
import { number, players } from "./messages.js";

const COLUMNS = ["Board", "Counts", "Open seasons", "Written by", "Read by", "Actions"];
const OPERATORS = { add: "sum", best: "best", latest: "newest" };
const TIES = { shared: "equal scores share a rank", first_to_reach: "whoever reached it first", first_registered: "whoever registered first" };

/** @param {number} count */
const entries = (count) => (count === 1 ? "1 entry" : `${number(count)} entries`);

/** @typedef {import("./chooser.js").Definition & { order: string, operator: "add" | "best" | "latest", ties: keyof typeof TIES, public: boolean }} Board */

export class Boards {
  #session;
  #section;
  #listing;
  #form;
  #seasons;
  #keys;
  /** @type {Board[]} */
  #boards = [];
  #run = 0;

  /**
   * @param {import("./session.js").Session} session
   * @param {HTMLElement} section
   */
  constructor(session, section) {
    this.#session = session;
    this.#section = section;
    this.#listing = new Listing(section, () => this.#ask(), (rows) => this.#draw(rows), "There is no board.");
    this.#form = new BoardForm(/** @type {HTMLFormElement} */ (section.querySelector("#board-form")), session, (id, isNew) => void this.#saved(id, isNew));
    this.#seasons = new BoardSeasons(/** @type {HTMLElement} */ (section.querySelector("#board-seasons")), session, () => void this.#listing.load());
    this.#keys = new ServerKeys(/** @type {HTMLElement} */ (section.querySelector("#server-keys")), session);
    slot(section, "new").addEventListener("click", () => {
      this.#seasons.hide();
      this.#form.open(null, this.#boards.map(({ id }) => id));
    });
    slot(section, "refresh").addEventListener("click", () => this.show());
  }

  show() {
    this.#listing.say("");
    void this.#listing.load();
    this.#keys.show();
  }

  hide() {
    this.#run += 1;
    this.#form.close();
    this.#seasons.hide();
    this.#keys.hide();
    this.#listing.clear();
  }

  async #ask() {
    const { data } = await this.#session.call("GET", "/api/boards");
    this.#boards = data;
    return { data, nextCursor: null };
  }

  /** @param {Board[]} boards */
  #draw(boards) {
    const lines = boards.map((board) => [
      make("span", { class: "names" }, make("strong", { dir: "auto" }, board.title), make("a", { href: board.id === MAIN ? "/" : `/?board=${board.id}` }, board.id)),
      `${OPERATORS[board.operator]}, ${board.order === "ascending" ? "smallest" : "greatest"} first; ${board.secondColumn ? "second value, then " : ""}${TIES[board.ties]}`,
      make("span", { class: "names" }, ...this.#periodsOf(board), make("span", { "data-entries": board.id })),
      board.write === "server" ? "servers" : "players",
      board.public ? "everybody" : "signed-in",
      board.id === MAIN ? "always there" : this.#actions(board),
    ]);
    const drawn = table("Boards", COLUMNS, lines);
    void this.#count(boards, drawn);
    return drawn;
  }

  /** @param {Board} board */
  #periodsOf(board) {
    return board.periods.map(({ name }) => {
      const open = board.seasons.find(({ period }) => period === name);
      if (!open) return make("span", {}, `${name}: none is open`);
      const count = make("span", { "data-players": `${board.id} ${name}` }, "– players");
      return make("span", {}, `${name} ${number(open.season)}: `, count, ...(open.endsAt ? [", until ", time(open.endsAt)] : []));
    });
  }

  /**
   * How many entries came of late, and how many players the open seasons have, one after another; what is not answered stays unsaid.
   * @param {Board[]} boards
   * @param {HTMLElement} drawn
   */
  async #count(boards, drawn) {
    const run = ++this.#run;
    try {
      const { lastMinute } = (await this.#session.call("GET", "/api/admin/overview")).data;
      if (run !== this.#run) return;
      for (const cell of drawn.querySelectorAll("[data-entries]")) {
        if (lastMinute && cell instanceof HTMLElement) cell.textContent = `${entries(lastMinute[cell.dataset.entries ?? ""] ?? 0)} in the last minute`;
      }
    } catch {
      // Said by the overview.
    }
    for (const { id, seasons } of boards) {
      for (const { period } of seasons) {
        if (run !== this.#run) return;
        try {
          const { total } = await this.#session.call("GET", `/api/boards/${encodeURIComponent(id)}/scores?period=${period}&limit=1`);
          const cell = drawn.querySelector(`[data-players="${id} ${period}"]`);
          if (cell) cell.textContent = players(total);
        } catch {
          // Being filled, or deleted a moment ago.
        }
      }
    }
  }

  /** @param {Board} board */
  #actions(board) {
    const of = make("span", { class: "sr-only" }, ` ${board.id}`);
    const button = (/** @type {string} */ text, /** @type {() => void} */ click) => make("button", { type: "button", class: "quiet", click }, text, of.cloneNode(true));
    const edit = () => {
      this.#seasons.hide();
      this.#form.open(board, []);
    };
    const seasons = () => {
      this.#form.close();
      this.#seasons.show(board);
    };
    return make("span", { class: "row-actions" }, button("Change", edit), button("Seasons", seasons), button("Delete", () => void this.#delete(board)));
  }

  /** @param {string} id @param {boolean} isNew */
  async #saved(id, isNew) {
    await this.#listing.load();
    this.#listing.say(`${id} is ${isNew ? "there now" : "changed"}.`);
    slot(this.#section, "new").focus();
  }

  /** @param {Board} board */
  async #delete({ id, title }) {
    const text = `From the next request on nobody reads ${id} or writes to it, and it cannot be taken back. Its entries stay in the ledger, and while there are any no other board can have its id.`;
    if (!(await confirmed(`Delete ${title}?`, text, "Delete"))) return;
    try {
      await this.#session.call("DELETE", `/api/boards/${encodeURIComponent(id)}`);
      this.#form.close();
      this.#seasons.hide();
      await this.#listing.load();
      this.#listing.say(`${id} is deleted.`);
      slot(this.#section, "new").focus();
    } catch (error) {
      this.#listing.fail(error);
    }
  }
}

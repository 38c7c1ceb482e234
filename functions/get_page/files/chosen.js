// @ts-check
/** A board other than `main`, in one of its periods and seasons. */

import { Board, widthOf } from "./board.js";
import { addressOf } from "./chooser.js";
import { make, slot } from "./dom.js";
import { Feed } from "./feed.js";
import { explain, players } from "./messages.js";
import { OwnPlace } from "./own-place.js";
import { ScoreboardError as ApiError } from "./scoreboard.js";
import { Seasons } from "./seasons.js";
import { Way } from "./way.js";

const FIRST_ROWS = 10;
const MORE_ROWS = 30;
/** So many the server shows at once; what comes below is read by cursor. */
const FRESH_ROWS = 100;
/** Longer scores stand on smaller tiles. */
const LONG_SCORE = 7;

/** @type {Record<string, string>} */
const BY_CODE = {
  missing_token: "Only players see this board. Sign in to look.",
  unknown_board: "This board is there no more.",
  unknown_season: "This board has had no such season.",
};

/** @typedef {import("./feed.js").Row} Row */
/** @typedef {import("./chooser.js").Choice} Choice */
/** @typedef {import("./chooser.js").Definition} Definition */

export class Chosen {
  #section;
  #session;
  #onChoose;
  #list;
  #seasons;
  #own;
  #feed;
  /** @type {Definition | null} */
  #board = null;
  /** @type {Choice} */
  #choice = { board: "", period: "", season: 0 };
  #run = 0;
  #top = FIRST_ROWS;
  /** @type {Row[]} */
  #head = [];
  /** @type {Row[]} */
  #tail = [];
  /** @type {string | null} */
  #cursor = null;
  #total = 0;
  /** Of the rows in front. */
  #asOf = "";
  #isAsking = false;

  /**
   * @param {HTMLElement} section
   * @param {HTMLElement} own where the reader's own place is shown
   * @param {import("./session.js").Session} session
   * @param {{ onChoose: (choice: Choice) => void, onState: (state: import("./scoreboard.js").State) => void }} callbacks
   */
  constructor(section, own, session, { onChoose, onState }) {
    this.#section = section;
    this.#session = session;
    this.#onChoose = onChoose;
    this.#list = new Board(slot(section, "list"), FIRST_ROWS);
    this.#own = new OwnPlace(session, own, slot(section, "around"), new Way(session, /** @type {HTMLDetailsElement} */ (slot(section, "way"))));
    this.#seasons = new Seasons(
      { text: slot(section, "season"), choice: slot(section, "seasons") },
      { onChoose: (season) => onChoose({ ...this.#choice, period: this.#period.name, season }), onTurn: () => void this.#turn() },
    );
    this.#feed = new Feed(session, {
      onPage: (page) => this.#seePage(page),
      onFrame: (frame) => this.#seeFrame(frame),
      onState: (state) => {
        section.classList.toggle("stale", state.name === "reconnecting");
        onState(state);
      },
      onEnd: (error) => this.#fail(error),
    });
    slot(section, "more").addEventListener("click", () => void this.#more());
  }

  /**
   * @param {Definition} board
   * @param {Choice} choice
   */
  show(board, choice) {
    this.hide();
    this.#board = board;
    this.#choice = choice;
    slot(this.#section, "title").textContent = board.title;
    slot(this.#section, "title").title = board.title;
    this.#showPeriods();
    const isUnknown = !board.periods.some(({ name }) => name === this.#period.name) || (choice.period && choice.period !== this.#period.name);
    if (isUnknown) return this.tell(`This board has no period called ${choice.period}.`);
    if (!this.#open && Date.parse(this.#period.startsAt ?? "") > Date.now()) return this.#seasons.showNone(this.#period);
    this.#start();
  }

  hide() {
    this.#run += 1;
    this.#feed.stop();
    this.#seasons.reset();
    this.#own.reset();
    this.#board = null;
    this.#top = FIRST_ROWS;
    this.#head = this.#tail = [];
    this.#cursor = null;
    this.#total = 0;
    this.#asOf = "";
    this.#list.show([]);
    slot(this.#section, "title").textContent = slot(this.#section, "foot").textContent = "";
    slot(this.#section, "periods").hidden = slot(this.#section, "more").hidden = true;
    this.tell("");
  }

  /** @param {string} text what stands where there are no rows */
  tell(text) {
    slot(this.#section, "note").textContent = text;
    slot(this.#section, "note").hidden = !text;
  }

  retryNow() {
    this.#feed.retryNow();
  }

  /** @param {import("./entry-form.js").EntryReceipt} receipt */
  seeReceipt(receipt) {
    const place = receipt.periods.find(({ period }) => period === this.#period.name);
    if (place && !this.#choice.season) this.#own.seeReceipt(place);
    this.#feed.retryNow();
  }

  get #period() {
    const periods = this.#board?.periods ?? [];
    return periods.find(({ name }) => name === this.#choice.period) ?? periods[0];
  }

  get #open() {
    return this.#board?.seasons.find(({ period }) => period === this.#period.name);
  }

  get #isPast() {
    return this.#choice.season > 0 && this.#choice.season !== this.#open?.season;
  }

  #start() {
    const wanted = { board: this.#choice.board, period: this.#period.name, season: this.#isPast ? this.#choice.season : 0, top: this.#top };
    this.#own.begin(wanted, this.#open?.season ?? 0);
    this.#feed.start(wanted);
  }

  #showPeriods() {
    const periods = this.#board?.periods ?? [];
    const tabs = periods.map(({ name }) => {
      const choice = { board: this.#choice.board, period: name, season: 0 };
      const choose = (/** @type {MouseEvent} */ event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        this.#onChoose(choice);
      };
      return make("a", { href: addressOf(choice), "aria-current": name === this.#period.name ? "true" : null, "data-period": name, click: choose }, name.replaceAll("_", " "));
    });
    const hadFocus = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.period;
    slot(this.#section, "periods").replaceChildren(...tabs);
    slot(this.#section, "periods").hidden = tabs.length < 2;
    if (hadFocus) tabs.find((tab) => tab.dataset.period === hadFocus)?.focus();
  }

  /** @param {import("./feed.js").ScorePage} page */
  #seePage(page) {
    if (this.#isOver(page.season)) return void this.#turn();
    this.#total = page.total;
    if (!this.#tail.length) this.#cursor = page.nextCursor;
    this.#seasons.show(this.#period, this.#open, this.#choice.season, page);
    this.#see(page.data, page.asOf);
  }

  /** @param {import("./scoreboard.js").Board} frame */
  #seeFrame(frame) {
    if (this.#isOver(frame.season ?? 0)) return void this.#turn();
    if (frame.data.length < this.#top) this.#total = frame.data.length; // That is everybody.
    this.#see(frame.data, frame.cache_time);
  }

  /** @param {number} season what was just heard of */
  #isOver(season) {
    return !this.#isPast && season > (this.#open?.season ?? season);
  }

  /**
   * @param {Row[]} rows from the top
   * @param {string} asOf
   */
  #see(rows, asOf) {
    if (asOf >= this.#asOf) {
      this.#asOf = asOf;
      this.#head = rows;
      this.#tail = this.#tail.filter((row) => !rows.some(({ userId }) => userId === row.userId));
    }
    const time = make("time", { datetime: this.#asOf }, new Date(this.#asOf).toLocaleTimeString("en-GB"));
    slot(this.#section, "foot").replaceChildren(`${players(this.#total)} · as of `, time);
    const nobody = this.#isPast || !this.#open ? "Nobody played in this season." : "Nobody is on this board yet.";
    this.tell(this.#head.length ? "" : nobody);
    this.#draw();
    this.#own.see([...this.#head, ...this.#tail], widthOf(this.#head));
  }

  #draw() {
    const rows = [...this.#head, ...this.#tail];
    slot(this.#section, "list").classList.toggle("long", widthOf(rows) > LONG_SCORE);
    this.#list.show(rows, this.#session.user?.userId);
    slot(this.#section, "more").hidden = !this.#cursor;
  }

  /** The first hundred stay fresh; what follows is read once. */
  async #more() {
    if (this.#isAsking || !this.#cursor) return;
    if (this.#top < FRESH_ROWS) {
      this.#top = Math.min(FRESH_ROWS, this.#top + MORE_ROWS);
      return this.#start();
    }
    const run = this.#run;
    this.#isAsking = true;
    const season = this.#isPast ? `&season=${this.#choice.season}` : "";
    const which = `period=${this.#period.name}${season}&limit=${MORE_ROWS}&cursor=${encodeURIComponent(this.#cursor)}`;
    try {
      const page = await this.#session.look("GET", `/api/boards/${encodeURIComponent(this.#choice.board)}/scores?${which}`);
      if (run !== this.#run) return;
      const known = new Set([...this.#head, ...this.#tail].map(({ userId }) => userId));
      this.#tail.push(...page.data.filter((/** @type {Row} */ { userId }) => !known.has(userId)));
      this.#cursor = page.nextCursor;
      this.#draw();
    } catch (error) {
      if (run === this.#run) this.tell(explain(error));
    } finally {
      this.#isAsking = false;
    }
  }

  /** Another season may be open now. */
  async #turn() {
    const run = this.#run;
    const board = this.#choice.board;
    try {
      const { data } = await this.#session.look("GET", `/api/boards/${encodeURIComponent(board)}`);
      if (run === this.#run) this.show(data, this.#choice);
    } catch {
      // What is read next says it again.
    }
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#head = this.#tail = [];
    this.#cursor = null;
    this.#draw();
    this.tell((error instanceof ApiError && BY_CODE[error.code]) || explain(error));
  }
}

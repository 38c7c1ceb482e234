// @ts-check
/** Sending an entry of one's own to a board that takes them from players. */

import { slot } from "./dom.js";
import { explain, number, seconds } from "./messages.js";
import { newKey, ScoreboardError as ApiError } from "./scoreboard.js";

const GREATEST = Number.MAX_SAFE_INTEGER;

/** @typedef {{ score: number, rank: number, improved: boolean, periods: { period: string, season: number, score: number, rank: number, second?: number, improved: boolean }[] }} EntryReceipt */

/** @type {Record<string, string>} */
const BY_CODE = {
  no_open_season: "No season of this board is open now, so nothing counts. Try again when the next one has begun.",
  score_out_of_bounds: "With this your score would be greater than a board can hold. Nothing was changed.",
  forbidden: "This board takes no entries from players any more.",
  unknown_board: "This board is there no more.",
};

export class EntryForm {
  #form;
  #session;
  #callbacks;
  #notice;
  #button;
  #isBusy = false;
  /** @type {import("./chooser.js").Definition | null} */
  #board = null;

  /**
   * @param {HTMLFormElement} form
   * @param {import("./session.js").Session} session
   * @param {{ onReceipt: (receipt: EntryReceipt) => void, announce: (text: string) => void }} callbacks
   */
  constructor(form, session, callbacks) {
    this.#form = form;
    this.#session = session;
    this.#callbacks = callbacks;
    this.#notice = slot(form, "notice");
    this.#button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send();
    });
  }

  /** @param {import("./chooser.js").Definition | null} board null for none that could be written to */
  show(board) {
    const isOther = board?.id !== this.#board?.id;
    this.#board = board;
    this.#form.hidden = !board;
    if (!board) return;
    if (isOther) {
      this.#form.reset();
      this.#say("");
    }
    slot(this.#form, "bounds").textContent = bounds(board);
    slot(this.#form, "second").hidden = !board.secondColumn;
  }

  async #send() {
    const board = this.#board;
    const user = this.#session.user;
    if (this.#isBusy || !board || !user) return;
    const value = this.#number("value");
    const second = board.secondColumn ? this.#number("second") : undefined;
    this.#blame(null);
    if (value === null || value < board.minValue || value > board.maxValue) return this.#refuse("value", `The value is a whole number. ${bounds(board)}`);
    if (second === null) return this.#refuse("second", "The second value is a whole number; this board needs one.");
    this.#setBusy(true);
    this.#say("");
    try {
      const receipt = await this.#post(board.id, user.userId, { value, ...(second === undefined ? {} : { second }) });
      if (this.#session.user !== user || this.#board?.id !== board.id) return;
      this.#form.reset();
      this.#callbacks.onReceipt(receipt);
      const text = `${receipt.improved ? "Counted, and you stand better." : "Counted."} Score ${number(receipt.score)}, rank ${number(receipt.rank)}.`;
      this.#say(text, "done");
      this.#callbacks.announce(text);
      this.#input("value").focus();
    } catch (error) {
      if (this.#session.user !== user) return;
      const code = error instanceof ApiError ? error.code : "";
      this.#refuse(["value_out_of_bounds", "invalid_parameter"].includes(code) ? "value" : null, explainEntry(error, board));
    } finally {
      this.#setBusy(false);
    }
  }

  /**
   * The same key for every try: it counts once.
   * @param {string} board
   * @param {string} userId
   * @param {{ value: number, second?: number }} body
   * @returns {Promise<EntryReceipt>}
   */
  #post(board, userId, body) {
    const path = `/api/boards/${encodeURIComponent(board)}/scores/${encodeURIComponent(userId)}`;
    /** @type {Record<string, string>} */
    const headers = { "Idempotency-Key": newKey() };
    const send = async () => (await this.#session.call("POST", path, { body, headers })).data;
    const onRetry = (/** @type {ApiError} */ error) => this.#say(`${explain(error)} Your entry is kept, is sent again by itself and counts once.`, "wait");
    return this.#session.patiently(
      async () => {
        try {
          return await send();
        } catch (error) {
          if (!(error instanceof ApiError) || !["ticket_required", "invalid_action_ticket"].includes(error.code)) throw error;
          headers["X-Action-Ticket"] = (await this.#session.call("POST", `/api/score/${encodeURIComponent(userId)}/tickets`)).data.ticket;
          return send();
        }
      },
      { waitWhenLimited: false, onRetry },
    );
  }

  /** @param {string} name @returns {number | null} null for what is no whole number that a board can hold */
  #number(name) {
    const text = this.#input(name).value.trim();
    const value = /^[+-]?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    return Number.isSafeInteger(value) ? value : null;
  }

  /** @param {string} name */
  #input(name) {
    return /** @type {HTMLInputElement} */ (this.#form.elements.namedItem(name));
  }

  /** @param {string | null} name @param {string} text */
  #refuse(name, text) {
    this.#say(text, "error");
    this.#blame(name);
  }

  /** @param {string | null} name of the field that has to be changed */
  #blame(name) {
    for (const field of ["value", "second"]) this.#input(field).setAttribute("aria-invalid", String(field === name));
    if (name) this.#input(name).select();
  }

  /** @param {string} text @param {"done" | "wait" | "error"} [kind] */
  #say(text, kind = "wait") {
    this.#notice.dataset.kind = kind;
    this.#notice.textContent = text;
  }

  /** @param {boolean} isBusy */
  #setBusy(isBusy) {
    this.#isBusy = isBusy;
    this.#button.setAttribute("aria-disabled", String(isBusy));
  }
}

/** @param {import("./chooser.js").Definition} board */
function bounds({ minValue, maxValue }) {
  if (maxValue < GREATEST) return `From ${number(minValue)} to ${number(maxValue)}.`;
  return minValue > -GREATEST ? `At least ${number(minValue)}.` : `At most ${number(GREATEST)} in size.`;
}

/**
 * @param {unknown} error
 * @param {import("./chooser.js").Definition} board
 */
function explainEntry(error, board) {
  if (!(error instanceof ApiError)) return explain(error);
  if (error.code === "value_out_of_bounds") return `This board does not take that value. ${bounds(board)}`;
  if (error.code === "invalid_parameter") return error.detail.replaceAll("`value`", "The value").replaceAll("`second`", "the second value");
  if (error.status === 429) return `That was quick! Wait ${seconds(error.retryAfterSeconds ?? 60)}, then try again.`;
  return BY_CODE[error.code] ?? explain(error);
}

// @ts-check
/** What a board is, as a form: its members are the definition's, and the server says what is wrong with them. */

import { explainToAdmin } from "./admin-messages.js";
import { make, say, slot } from "./dom.js";
import { ScoreboardError as ApiError } from "./scoreboard.js";

const MAX_PERIODS = 4;
const WHOLE = ["minValue", "maxValue", "metadataBytes", "updatesPerMinute"];
const CHOICES = ["order", "operator", "ties", "write"];
const YES_OR_NO = ["secondColumn", "public"];
/** @type {[string, string, string][]} */
const OF_A_PERIOD = [
  ["name", "Period name", "weekly"],
  ["cron", "Cron", "0 0 * * MON"],
  ["timeZone", "Time zone", "Europe/Berlin"],
  ["startsAt", "Starts at", "2026-12-01T18:00:00+01:00"],
  ["endsAt", "Ends at", "2026-12-01T23:00:00+01:00"],
];

export class BoardForm {
  #form;
  #session;
  #onSaved;
  /** @type {string[]} */
  #taken = [];
  #isNew = true;
  #isBusy = false;

  /**
   * @param {HTMLFormElement} form
   * @param {import("./session.js").Session} session
   * @param {(id: string, isNew: boolean) => void} onSaved
   */
  constructor(form, session, onSaved) {
    this.#form = form;
    this.#session = session;
    this.#onSaved = onSaved;
    slot(form, "periods").replaceChildren(...Array.from({ length: MAX_PERIODS }, (_, index) => period(index)));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#save();
    });
    slot(form, "cancel").addEventListener("click", () => this.close());
    slot(form, "another").addEventListener("click", () => {
      const shown = this.#showPeriods(this.#periods.filter(({ hidden }) => !hidden).length + 1);
      this.#input(`period-${shown - 1}-name`).focus();
    });
  }

  /**
   * @param {import("./admin-boards.js").Board | null} board null for a new one
   * @param {string[]} taken ids that a new one cannot have
   */
  open(board, taken) {
    this.#form.reset();
    this.#isNew = board === null;
    this.#taken = taken;
    slot(this.#form, "title").textContent = board ? `Change ${board.id}` : "New board";
    this.#say("");
    if (board) this.#fill(board);
    else this.#input("period-0-name").value = "all_time";
    this.#showPeriods(board?.periods.length ?? 1);
    this.#input("id").readOnly = board !== null;
    this.#form.hidden = false;
    this.#input(board ? "title" : "id").focus();
  }

  close() {
    this.#form.hidden = true;
    this.#form.reset();
  }

  /** @param {import("./admin-boards.js").Board} board */
  #fill(board) {
    /** @type {Record<string, any>} */
    const members = board;
    for (const name of ["id", "title", ...WHOLE, ...CHOICES]) this.#input(name).value = String(members[name]);
    for (const name of YES_OR_NO) this.#input(name).checked = members[name];
    board.periods.forEach((/** @type {Record<string, any>} */ one, index) => {
      for (const [name] of OF_A_PERIOD) this.#input(`period-${index}-${name}`).value = one[name] ?? "";
    });
  }

  get #periods() {
    return /** @type {HTMLElement[]} */ ([...slot(this.#form, "periods").children]);
  }

  /** @param {number} count */
  #showPeriods(count) {
    this.#periods.forEach((one, index) => {
      one.hidden = index >= count;
    });
    slot(this.#form, "another").hidden = count >= MAX_PERIODS;
    return count;
  }

  /** What is left empty has its default. */
  get #definition() {
    /** @type {Record<string, unknown>} */
    const definition = {};
    const title = this.#input("title").value.trim();
    if (title) definition.title = title;
    for (const name of WHOLE) {
      const text = this.#input(name).value.trim();
      if (text) definition[name] = /^[+-]?\d{1,16}$/.test(text) ? Number(text) : text;
    }
    for (const name of CHOICES) definition[name] = this.#input(name).value;
    for (const name of YES_OR_NO) definition[name] = this.#input(name).checked;
    const periods = Array.from({ length: MAX_PERIODS }, (_, index) => {
      const members = OF_A_PERIOD.map(([name]) => [name, this.#input(`period-${index}-${name}`).value.trim()]);
      return Object.fromEntries(members.filter(([, text]) => text));
    });
    return { ...definition, periods: periods.filter((one) => Object.keys(one).length > 0) };
  }

  async #save() {
    if (this.#isBusy) return;
    const id = this.#input("id").value.trim();
    this.#blame(null);
    if (!id) return this.#refuse("id", "Give the board an id.");
    if (this.#isNew && this.#taken.includes(id)) return this.#refuse("id", `There is a board ${id} already. Change that one, or take another id.`);
    this.#isBusy = true;
    this.#say("Saving…", "wait");
    try {
      await this.#session.call("PUT", `/api/boards/${encodeURIComponent(id)}`, { body: this.#definition });
      this.close();
      this.#onSaved(id, this.#isNew);
    } catch (error) {
      this.#refuse(error instanceof ApiError ? fieldOf(error.detail) : null, explainToAdmin(error));
    } finally {
      this.#isBusy = false;
    }
  }

  /** @param {string | null} name @param {string} text */
  #refuse(name, text) {
    this.#say(text, "error");
    this.#blame(name);
  }

  /** @param {string | null} name of the field that has to be changed */
  #blame(name) {
    for (const field of /** @type {Iterable<HTMLInputElement>} */ (this.#form.querySelectorAll("input, select"))) {
      field.setAttribute("aria-invalid", String(field.name === name));
      if (field.name === name) field.focus();
    }
  }

  /** @param {string} text @param {"done" | "error" | "wait"} [kind] */
  #say(text, kind) {
    say(slot(this.#form, "notice"), text, kind);
  }

  /** @param {string} name */
  #input(name) {
    return /** @type {HTMLInputElement} */ (this.#form.elements.namedItem(name));
  }
}

/**
 * The field that a refusal speaks of.
 * @param {string} detail
 */
function fieldOf(detail) {
  const [, index, member] = /`periods\[(\d+)\]\.(\w+)`/.exec(detail) ?? [];
  return member ? `period-${index}-${member}` : (/`(\w+)`/.exec(detail)?.[1] ?? null);
}

/** @param {number} index */
function period(index) {
  const field = (/** @type {[string, string, string]} */ [name, label, example]) =>
    make("label", {}, label, make("input", { name: `period-${index}-${name}`, placeholder: example, maxlength: 100, autocapitalize: "none", spellcheck: "false" }));
  return make("fieldset", {}, make("legend", {}, `Period ${index + 1}`), make("div", { class: "bar search" }, ...OF_A_PERIOD.map(field)));
}

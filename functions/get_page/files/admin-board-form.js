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
  ["startsAt", "Starts at", ""],
  ["endsAt", "Ends at", ""],
];

/** What is filled in and read in the time zone of whoever looks. */
const INSTANTS = ["startsAt", "endsAt"];
const MINUTE_MS = 60_000;

export class BoardForm {
  #form;
  #session;
  #onSaved;
  /** @type {string[]} */
  #taken = [];
  /** @type {Record<string, string>} What the board has, by the names of fields: in the hour that comes twice a local time is not exact. */
  #instants = {};
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
    this.#instants = {};
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
      for (const [name] of OF_A_PERIOD) {
        const field = this.#input(`period-${index}-${name}`);
        if (one[name] && INSTANTS.includes(name)) this.#instants[field.name] = one[name];
        field.value = INSTANTS.includes(name) ? localTime(one[name]) : (one[name] ?? "");
      }
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
      const members = OF_A_PERIOD.map(([name]) => [name, INSTANTS.includes(name) ? this.#instant(`period-${index}-${name}`) : this.#input(`period-${index}-${name}`).value.trim()]);
      return Object.fromEntries(members.filter(([, text]) => text));
    });
    return { ...definition, periods: periods.filter((one) => Object.keys(one).length > 0) };
  }

  /** @param {string} name of a field */
  #instant(name) {
    const { value } = this.#input(name);
    const before = this.#instants[name];
    if (!value || (before && Date.parse(localTime(before)) === Date.parse(value))) return value && before;
    return new Date(value).toISOString();
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

/**
 * As a field has it.
 * @param {string | null | undefined} iso an instant
 */
function localTime(iso) {
  if (!iso) return "";
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * MINUTE_MS).toISOString().slice(0, -1);
}

/** @param {number} index */
function period(index) {
  const field = (/** @type {[string, string, string]} */ [name, label, example]) => {
    const kind = INSTANTS.includes(name) ? { type: "datetime-local" } : { placeholder: example, maxlength: 100, autocapitalize: "none", spellcheck: "false" };
    return make("label", {}, label, make("input", { name: `period-${index}-${name}`, ...kind }));
  };
  return make("fieldset", {}, make("legend", {}, `Period ${index + 1}`), make("div", { class: "bar search" }, ...OF_A_PERIOD.map(field)));
}

// @ts-check
/** Reconciliation: past runs with their differences, and a new one on demand. */

import { confirmed } from "./admin-confirm.js";
import { make, table, time } from "./dom.js";
import { Listing } from "./admin-listing.js";
import { number } from "./messages.js";

const LIMIT = 10;
const RUN_LIMIT_MS = 40_000;

export class Runs {
  #session;
  #form;
  #listing;
  #isBusy = false;

  /**
   * @param {import("./session.js").Session} session
   * @param {HTMLElement} section
   */
  constructor(session, section) {
    this.#session = session;
    this.#form = /** @type {HTMLFormElement} */ (section.querySelector("form"));
    this.#listing = new Listing(section, (cursor) => this.#ask(cursor), draw, "There has been no run yet.");
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const button = /** @type {HTMLButtonElement} */ (event.submitter);
      void this.#start(button?.value !== "repair");
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
    const query = new URLSearchParams({ limit: String(LIMIT), ...(cursor ? { cursor } : {}) });
    return this.#session.call("GET", `/api/admin/reconciliations?${query}`);
  }

  /** @param {boolean} dryRun */
  async #start(dryRun) {
    if (this.#isBusy) return;
    const full = new FormData(this.#form).has("full");
    const text = "Scores on the board that differ from the ledger are changed by the difference. Each repair stands in the audit log.";
    if (!dryRun && !(await confirmed("Repair the board?", text, "Find and repair"))) return;
    this.#setBusy(true);
    this.#listing.say("Comparing… this takes some seconds.", "wait");
    try {
      const { data } = await this.#session.call("POST", "/api/admin/reconciliations", { body: { dryRun, full }, timeLimitMs: RUN_LIMIT_MS });
      await this.#listing.load();
      this.#listing.say(outcome(data));
    } catch (error) {
      this.#listing.fail(error);
    } finally {
      this.#setBusy(false);
    }
  }

  /** @param {boolean} isBusy */
  #setBusy(isBusy) {
    this.#isBusy = isBusy;
    for (const button of this.#form.querySelectorAll("button")) button.setAttribute("aria-disabled", String(isBusy));
  }
}

/** @param {any} run as it was just answered */
function outcome({ rebuilt, dryRun, checked, found, leftForTheNextRun }) {
  if (rebuilt) return "The board was empty and has been rebuilt from the ledger.";
  const left = leftForTheNextRun ? ` ${number(leftForTheNextRun)} could not be judged and are left for the next run.` : "";
  if (!found) return `All ${number(checked)} players that were looked at are in order.${left}`;
  const differ = found === 1 ? "1 player differs" : `${number(found)} players differ`;
  return `${differ} of ${number(checked)} that were looked at; ${dryRun ? "nothing was changed" : "repaired"}.${left}`;
}

/**
 * @param {any[]} rows
 * @param {Record<string, string>} names
 */
function draw(rows, names) {
  return make("div", { class: "runs" }, ...rows.map((run) => one(run, names)));
}

/**
 * @param {any} run
 * @param {Record<string, string>} names
 */
function one(run, names) {
  const seconds = (Date.parse(run.finishedAt) - Date.parse(run.startedAt)) / 1000;
  const state = run.found === 0 ? "up" : run.dryRun ? "down" : "repaired";
  const result = run.found === 0 ? "in order" : `${number(run.found)} ${run.dryRun ? "found" : "repaired"}`;
  const head = make(
    "p",
    { class: "run-head" },
    make("span", { class: "chip", "data-state": state }, make("span", { class: "dot", "aria-hidden": "true" }), make("strong", {}, result)),
    time(run.startedAt),
    make("span", {}, `${run.dryRun ? "dry run" : "repairing run"}, ${run.full ? "everybody" : "who changed and some more"}`),
    make("span", {}, `${number(run.checked)} looked at in ${seconds < 0.1 ? "less than 0.1" : seconds.toFixed(1)} s`),
  );
  if (!run.discrepancies.length) return make("article", { class: "run" }, head);
  const lines = run.discrepancies.map((/** @type {any} */ entry) => [
    make("a", { href: `#audit?user=${encodeURIComponent(entry.userId)}` }, names[entry.userId] ?? entry.userId),
    entry.board ? `${entry.board}, ${entry.period} ${entry.season}` : "main",
    shown(entry.ledgerTotal, "no account"),
    shown(entry.boardBefore, "not there"),
    make("strong", {}, entry.misplaced && entry.difference === 0 ? "wrong place" : signed(entry.difference)),
    entry.missingPoints ? number(entry.missingPoints) : "–",
  ]);
  const list = table(`Differences of run ${run.runId}`, ["Player", "On", "Ledger", "Board", "Difference", "Lost by the ledger"], lines);
  const rest = run.found > lines.length ? make("p", { class: "hint" }, `The first ${lines.length} of ${number(run.found)}.`) : null;
  return make("article", { class: "run" }, head, make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Differences of run ${run.runId}` }, list), rest);
}

/** @param {number | null} value @param {string} nothing */
function shown(value, nothing) {
  return value === null ? nothing : number(value);
}

/** @param {number} value */
function signed(value) {
  return `${value > 0 ? "+" : value < 0 ? "−" : ""}${number(Math.abs(value))}`;
}

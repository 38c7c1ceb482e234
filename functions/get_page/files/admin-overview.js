// @ts-check
/** How things stand: every part's health, rates as small charts, and totals; asked for while somebody looks. */

import { Alarm } from "./admin-alarms.js";
import { Chart } from "./admin-chart.js";
import { History } from "./admin-history.js";
import { explainToAdmin } from "./admin-messages.js";
import { milliseconds, perSecond, quantile, rate, whole } from "./admin-rates.js";
import { make, time } from "./dom.js";
import { number } from "./messages.js";
import { ScoreboardError as ApiError } from "./scoreboard.js";

const ASK_EVERY_MS = 2_000;
const ASK_PATIENCE_MS = 5_000;
const CAPABILITIES = { acceptUpdates: "Accept updates", record: "Record", broadcast: "Broadcast", logIn: "Log in", read: "Read" };
const STORES = { redis: "Redis", rabbitmq: "RabbitMQ", postgresql: "PostgreSQL" };
const UPDATE = "update_score";
/** As long as the alerts OutboxOld and AuditNotSealed wait. */
const OUTBOX_SECONDS = 150;
const SEALED_MS = 15 * 60_000;

/**
 * @param {string} label
 * @param {string} state
 * @param {string} shown
 * @param {string} [reason]
 */
const chip = (label, state, shown, reason) =>
  make(
    "li",
    { class: "chip", "data-state": state },
    make("span", { class: "dot", "aria-hidden": "true" }),
    `${label} `,
    make("strong", {}, shown),
    reason ? make("span", { class: "reason" }, reason) : null,
  );

export class Overview {
  #session;
  #elements;
  #onDeadLetters;
  #timer = 0;
  #isShown = false;
  #run = 0;
  /** @type {any} */
  #last = null;
  #isBesideRuntime = true;
  #charts;
  #history;
  #down = new Alarm("DependencyDown");
  #broken = new Alarm("UpdatesRefused");
  #unsealed = new Alarm("AuditNotSealed");

  /**
   * @param {import("./session.js").Session} session
   * @param {{ state: HTMLElement, health: HTMLElement, works: HTMLElement, rates: HTMLElement, hour: HTMLElement, totals: HTMLElement }} elements
   * @param {(count: number) => void} onDeadLetters
   */
  constructor(session, elements, onDeadLetters) {
    this.#session = session;
    this.#elements = elements;
    this.#history = new History(session, elements.hour);
    this.#onDeadLetters = onDeadLetters;
    this.#charts = {
      updates: new Chart("Updates a second", [{ name: "accepted", format: perSecond }, { name: "recorded", format: perSecond }]),
      latency: new Chart("Time an update takes", [{ name: "p50", format: milliseconds }, { name: "p99", format: milliseconds }]),
      viewers: new Chart("Viewers", [{ name: "viewers", format: whole }]),
      queue: new Chart("In the queue", [{ name: "waiting", format: whole }], "Updates between broker and ledger"),
      outbox: new Chart("In the outbox", [{ name: "waiting", format: whole }], "Updates accepted that the ledger does not have yet", "OutboxOld"),
      refusals: new Chart("Refusals in 5 min", [{ name: "refusals", format: whole }], "As the audit log has them, a minute behind"),
      letters: new Chart("Dead letters", [{ name: "dead letters", format: whole }], "", "DeadLetters"),
    };
    elements.health.after(this.#down.element);
    elements.works.after(this.#broken.element);
    elements.totals.after(this.#unsealed.element);
    elements.rates.append(...Object.values(this.#charts).map((chart) => chart.element));
  }

  show() {
    this.#isShown = true;
    this.#begin();
  }

  hide() {
    this.#isShown = false;
    clearTimeout(this.#timer);
    this.#run += 1;
  }

  /** After a while in the background: at once, and not for what was missed. */
  wake() {
    if (this.#isShown) this.#begin();
  }

  #begin() {
    clearTimeout(this.#timer);
    this.#last = null;
    this.#run += 1;
    void this.#ask(this.#run);
  }

  /** @param {number} run */
  async #ask(run) {
    const [health, overview] = await Promise.allSettled([this.#readiness(), this.#overview()]);
    if (run !== this.#run) return;
    const reading = overview.status === "fulfilled" ? overview.value : null;
    this.#showHealth(health.status === "fulfilled" ? health.value : {}, reading?.runtime?.processes ?? {});
    this.#elements.state.textContent = overview.status === "rejected" ? explainToAdmin(overview.reason) : "";
    this.#showReading(reading);
    await this.#showHistory(overview.status === "fulfilled");
    if (run !== this.#run) return;
    if (!document.hidden) this.#timer = setTimeout(() => void this.#ask(run), ASK_EVERY_MS);
  }

  /** @returns {Promise<Record<string, any>>} */
  async #readiness() {
    // Its refusal says the same as its success: what is up, what works and why not.
    const answer = await fetch("/readyz", { cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(ASK_PATIENCE_MS) });
    return (await answer.json()).data ?? {};
  }

  /** @param {boolean} isAdmitted whether there is any use in asking */
  async #showHistory(isAdmitted) {
    /** @type {HTMLElement} */ (this.#elements.hour.parentElement).hidden = !this.#isBesideRuntime;
    if (!isAdmitted || !this.#isBesideRuntime) return;
    try {
      await this.#history.refresh();
    } catch (error) {
      this.#elements.state.textContent = explainToAdmin(error);
    }
  }

  /** From the runtime that hosts the page, which knows more; or where there is none, from the API alone. */
  async #overview() {
    if (this.#isBesideRuntime) {
      try {
        return (await this.#session.call("GET", "/admin/overview")).data;
      } catch (error) {
        if (!(error instanceof ApiError) || ![403, 404].includes(error.status) || error.code === "forbidden") throw error;
        this.#isBesideRuntime = false;
      }
    }
    return (await this.#session.call("GET", "/api/admin/overview")).data;
  }

  /**
   * @param {Record<string, any>} health
   * @param {Record<string, boolean>} processes
   */
  #showHealth(health, processes) {
    const parts = Object.entries(STORES).map(([name, label]) => [label, health[name] ?? "unknown"]);
    for (const [name, isThere] of Object.entries(processes)) {
      if (!(name in STORES)) parts.push([`${name} process`, isThere ? "up" : "down"]);
    }
    this.#down.show(parts.some(([, state]) => state === "down"));
    this.#broken.show(Object.values(health.capabilities ?? {}).some((found) => !found.ok));
    this.#elements.health.replaceChildren(...parts.map(([label, state]) => chip(label, state, state)));
    const works = Object.entries(CAPABILITIES).map(([name, label]) => {
      const found = health.capabilities?.[name];
      return chip(label, found ? (found.ok ? "up" : "down") : "unknown", found ? (found.ok ? "yes" : "no") : "unknown", found?.reason);
    });
    this.#elements.works.replaceChildren(...works);
  }

  /** @param {any} reading */
  #showReading(reading) {
    const before = this.#last;
    this.#last = reading;
    const at = Date.now();
    const seconds = before && reading ? (Date.parse(reading.at) - Date.parse(before.at)) / 1000 : 0;
    const [calls, callsBefore] = [reading, before].map((one) => one?.runtime?.functions?.[UPDATE]);
    const accepted = rate(before?.board?.updatesAccepted, reading?.board?.updatesAccepted, seconds);
    const recorded = rate(before?.ledger?.newestEntry, reading?.ledger?.newestEntry, seconds);
    if (before || !reading) this.#charts.updates.add(at, [accepted, recorded]);
    if (before || !reading) this.#charts.latency.add(at, [quantile(callsBefore, calls, 0.5), quantile(callsBefore, calls, 0.99)]);
    this.#charts.viewers.add(at, [reading?.runtime?.viewers ?? null]);
    this.#charts.queue.add(at, [reading?.queues?.updates ?? null]);
    this.#charts.outbox.add(at, [reading?.board?.outbox ?? null]);
    this.#charts.refusals.add(at, [reading?.ledger?.refusals ?? null]);
    this.#charts.letters.add(at, [reading?.ledger?.deadLetters ?? null]);
    this.#charts.outbox.alarm(reading?.board?.outboxSeconds > OUTBOX_SECONDS);
    this.#charts.letters.alarm(reading?.ledger?.deadLetters > 0);
    for (const chart of [this.#charts.latency, this.#charts.viewers]) chart.element.hidden = !this.#isBesideRuntime;
    if (reading) this.#showTotals(reading);
    if (reading?.ledger) this.#onDeadLetters(reading.ledger.deadLetters);
  }

  /** @param {any} reading */
  #showTotals({ board, queues, ledger }) {
    /** @param {number | null | undefined} value */
    const known = (value) => (typeof value === "number" ? number(value) : "–");
    const isUnsealed = Boolean(ledger?.auditUnsealed && ledger.auditSealedAt) && Date.now() - Date.parse(ledger.auditSealedAt) > SEALED_MS;
    this.#unsealed.show(isUnsealed);
    const rows = [
      ["Players on the board", board ? `${known(board.players)}${board.whole ? "" : ", being rebuilt"}` : "–"],
      ["Updates accepted", known(board?.updatesAccepted)],
      ["Newest entry of the ledger", known(ledger?.newestEntry)],
      ["Oldest in the outbox", board ? `${number(Math.round(board.outboxSeconds))} s` : "–"],
      ["Refused by the ledger", known(ledger?.unrecorded)],
      ["Broadcasts waiting", known(queues?.messages?.score_updated_queue)],
      ["Audit entries not sealed yet", known(ledger?.auditUnsealed)],
      ["Audit log sealed", ledger?.auditSealedAt ? time(ledger.auditSealedAt) : "not yet"],
    ];
    this.#elements.totals.replaceChildren(...rows.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
    if (isUnsealed) /** @type {HTMLElement} */ (this.#elements.totals.lastElementChild).dataset.state = "alarm";
  }
}

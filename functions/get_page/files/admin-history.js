// @ts-check
/** The last hour of this instance, from the samples that it takes each minute. */

import { Chart } from "./admin-chart.js";
import { milliseconds, perSecond, quantile, rate, whole } from "./admin-rates.js";

const EVERY_MS = 60_000;

/** @typedef {{ at: number, updates: import("./admin-rates.js").Calls, refusals: number, viewers: number, outbox: number | null, deadLetters: number | null }} Sample */

export class History {
  #session;
  #charts;
  #askedAt = 0;

  /**
   * @param {import("./session.js").Session} session
   * @param {HTMLElement} element where the charts go
   */
  constructor(session, element) {
    this.#session = session;
    this.#charts = {
      updates: new Chart("Accepted a second", [{ name: "updates", format: perSecond }]),
      refusals: new Chart("Refused a minute", [{ name: "refusals", format: whole }], "Problems of all kinds that were answered"),
      latency: new Chart("How long updates took", [{ name: "p50", format: milliseconds }, { name: "p99", format: milliseconds }]),
      viewers: new Chart("Who watched", [{ name: "viewers", format: whole }]),
      outbox: new Chart("Left in the outbox", [{ name: "updates", format: whole }]),
      letters: new Chart("Parked dead letters", [{ name: "dead letters", format: whole }]),
    };
    element.append(...Object.values(this.#charts).map((chart) => chart.element));
  }

  /** Ask for the samples if there may be another one; throws what the API refuses with. */
  async refresh() {
    if (Date.now() - this.#askedAt < EVERY_MS) return;
    this.#askedAt = Date.now();
    /** @type {Sample[]} */
    const samples = (await this.#session.call("GET", "/admin/history")).data;
    if (samples.length) this.#show(samples);
  }

  /** @param {Sample[]} samples */
  #show(samples) {
    /** @param {(sample: Sample, before: Sample | undefined, seconds: number) => (number | null)[]} values */
    const points = (values) =>
      samples.map((sample, index) => {
        const before = samples[index - 1];
        return { at: sample.at * 1000, values: values(sample, before, before ? sample.at - before.at : 0) };
      });
    const accepted = (/** @type {Sample | undefined} */ sample) => (sample ? sample.updates.count - sample.updates.failed : null);
    this.#charts.updates.show(points((sample, before, seconds) => [rate(accepted(before), accepted(sample), seconds)]));
    this.#charts.latency.show(points((sample, before) => [0.5, 0.99].map((part) => quantile(before?.updates, sample.updates, part))));
    this.#charts.refusals.show(points((sample, before, seconds) => [rate(before?.refusals, sample.refusals, seconds / 60)]));
    this.#charts.viewers.show(points((sample) => [sample.viewers]));
    this.#charts.outbox.show(points((sample) => [sample.outbox]));
    this.#charts.letters.show(points((sample) => [sample.deadLetters]));
  }
}

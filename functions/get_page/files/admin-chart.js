// @ts-check
/** A small chart of what happened of late; its newest value stands beside it in numbers. */

import { Alarm } from "./admin-alarms.js";
import { make, shape } from "./dom.js";

const WIDTH = 300;
const HEIGHT = 84;
const LONGEST_MS = 60 * 60_000;
const SHORT_MS = 5 * 60_000;
const SHORTEST_MS = 60_000;

/** @typedef {{ name: string, format: (value: number) => string }} Series */

export class Chart {
  element;
  #title;
  #series;
  #values;
  #picture;
  #lines;
  #fill;
  #top;
  #alarm;
  #since = make("span", {});
  /** @type {{ at: number, values: (number | null)[] }[]} */
  #points = [];

  /**
   * @param {string} title
   * @param {Series[]} series one or two
   * @param {string} [hint] what exactly is drawn
   * @param {string} [alarm] what it may have to say, by its name in the runbook
   */
  constructor(title, series, hint = "", alarm = "") {
    this.#alarm = alarm ? new Alarm(alarm) : null;
    this.#title = title;
    this.#series = series;
    this.#values = series.map(() => make("output", {}, "–"));
    this.#lines = series.map((_, index) => shape("path", { class: `line line-${index}`, "vector-effect": "non-scaling-stroke" }));
    this.#fill = shape("path", { class: "fill" });
    this.#top = make("span", { class: "top", "aria-hidden": "true" });
    const base = shape("line", { class: "base", x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1 });
    this.#picture = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${title}: nothing yet` });
    this.#picture.append(base, this.#fill, ...this.#lines);
    const values = series.map(({ name }, index) =>
      make("span", { class: `value value-${index}` }, series.length > 1 ? make("span", { class: "key" }, name) : null, this.#values[index]),
    );
    this.element = make(
      "figure",
      { class: "chart", title: hint || null },
      make("figcaption", {}, make("span", { class: "title" }, title), make("span", { class: "values" }, ...values)),
      make("div", { class: "plot" }, this.#picture, this.#top),
      make("p", { class: "axis", "aria-hidden": "true" }, this.#since, make("span", {}, "now")),
      this.#alarm?.element,
    );
  }

  /** @param {boolean} isOn whether somebody is needed */
  alarm(isOn) {
    this.element.dataset.state = isOn ? "alarm" : "calm";
    this.#alarm?.show(isOn);
  }

  /**
   * @param {number} at
   * @param {(number | null)[]} values one for each series; null for what is not known
   */
  add(at, values) {
    this.show([...this.#points.filter((point) => point.at >= at - SHORT_MS), { at, values }]);
  }

  /** @param {{ at: number, values: (number | null)[] }[]} points at least one, oldest first; only the last hour of them is shown */
  show(points) {
    const { at, values } = points[points.length - 1];
    this.#points = points.filter((point) => point.at >= at - LONGEST_MS);
    const minutes = Math.ceil(Math.max(at - this.#points[0].at, SHORTEST_MS) / SHORTEST_MS);
    this.#since.textContent = `${minutes} min ago`;
    const known = this.#points.flatMap((point) => point.values).filter((value) => value !== null);
    const top = Math.max(...known, 0) || 1;
    this.#series.forEach(({ format }, index) => {
      const value = values[index];
      this.#values[index].textContent = value === null || value === undefined ? "–" : format(value);
      this.#lines[index].setAttribute("d", this.#path(index, at, minutes * SHORTEST_MS, top));
    });
    this.#fill.setAttribute("d", closed(this.#lines[0].getAttribute("d") ?? ""));
    this.#top.textContent = known.length ? this.#series[0].format(Math.max(...known, 0)) : "";
    const now = this.#series.map(({ name }, index) => `${name} ${this.#values[index].textContent}`).join(", ");
    this.#picture.setAttribute("aria-label", `${this.#title}: ${now}; highest in ${minutes} min ${this.#top.textContent || "unknown"}`);
  }

  /**
   * A line with a gap where nothing is known.
   * @param {number} index
   * @param {number} now
   * @param {number} windowMs
   * @param {number} top
   */
  #path(index, now, windowMs, top) {
    let isDrawing = false;
    const steps = this.#points.map(({ at, values }) => {
      const value = values[index];
      if (value === null || value === undefined) {
        isDrawing = false;
        return "";
      }
      const x = WIDTH - ((now - at) / windowMs) * WIDTH;
      const y = HEIGHT - 2 - (value / top) * (HEIGHT - 8);
      const step = `${isDrawing ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
      isDrawing = true;
      return step;
    });
    return steps.join("");
  }
}

/**
 * The area below a line, part by part.
 * @param {string} path
 */
function closed(path) {
  return path
    .split("M")
    .filter(Boolean)
    .map((part) => {
      const steps = part.split("L");
      const [first, last] = [steps[0].split(" ")[0], steps[steps.length - 1].split(" ")[0]];
      return `M${first} ${HEIGHT}L${part}L${last} ${HEIGHT}Z`;
    })
    .join("");
}

// @ts-check
/** Dead letters: why each lies there, and the way back to where it came from. */

import { confirmed } from "./admin-confirm.js";
import { make, table, time } from "./dom.js";
import { Listing } from "./admin-listing.js";
import { number } from "./messages.js";

const LIMIT = 100;
const REDRIVE_LIMIT_MS = 40_000;

export class Letters {
  #session;
  #form;
  #listing;
  #onCount;

  /**
   * @param {import("./session.js").Session} session
   * @param {HTMLElement} section
   * @param {(count: number) => void} onCount
   */
  constructor(session, section, onCount) {
    this.#session = session;
    this.#onCount = onCount;
    this.#form = /** @type {HTMLFormElement} */ (section.querySelector("form"));
    this.#listing = new Listing(section, () => this.#ask(), (rows, names) => this.#draw(rows, names), "There are no dead letters.");
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const button = /** @type {HTMLButtonElement} */ (event.submitter);
      void this.#redrive(button?.value === "all" ? null : this.#selected());
    });
    this.#form.querySelector("[name=refresh]")?.addEventListener("click", () => this.show());
  }

  show() {
    this.#listing.say("");
    void this.#listing.load();
  }

  hide() {
    this.#listing.clear();
  }

  async #ask() {
    const page = await this.#session.call("GET", `/api/admin/dead-letters?limit=${LIMIT}`, { timeLimitMs: REDRIVE_LIMIT_MS });
    this.#onCount(page.total);
    if (page.total > page.data.length) this.#listing.say(`The oldest ${page.data.length} of ${number(page.total)}.`, "wait");
    return page;
  }

  /**
   * @param {any[]} rows
   * @param {Record<string, string>} names
   */
  #draw(rows, names) {
    const all = make("input", {
      type: "checkbox",
      "aria-label": "Select all",
      change: (/** @type {Event} */ event) => {
        const isChecked = /** @type {HTMLInputElement} */ (event.target).checked;
        for (const box of this.#boxes()) box.checked = isChecked;
      },
    });
    const lines = rows.map((letter) => [
      letter.requestId ? make("input", { type: "checkbox", name: "letter", value: letter.requestId, "aria-label": `Select ${letter.requestId}` }) : null,
      make("strong", {}, letter.reason),
      names[letter.userId] ?? letter.userId ?? "unreadable",
      letter.increment === null ? "–" : `+${letter.increment}`,
      time(letter.parkedAt),
      number(letter.attempts),
      letter.requestId ? make("a", { href: `#audit?requestId=${encodeURIComponent(letter.requestId)}`, class: "id" }, letter.requestId) : "–",
    ]);
    const drawn = table("Dead letters, oldest first", ["Select", "Reason", "Player", "Points", "Parked", "Attempts", "Request"], lines);
    drawn.querySelector("th")?.replaceChildren(all);
    return drawn;
  }

  #boxes() {
    return [.../** @type {NodeListOf<HTMLInputElement>} */ (this.#form.querySelectorAll("input[name=letter]"))];
  }

  #selected() {
    return this.#boxes().filter((box) => box.checked).map((box) => box.value);
  }

  /** @param {string[] | null} requestIds null for all */
  async #redrive(requestIds) {
    if (requestIds?.length === 0) return this.#listing.say("Select the dead letters first.", "error");
    const which = requestIds ? (requestIds.length === 1 ? "this dead letter" : `these ${requestIds.length} dead letters`) : "all dead letters";
    const text = "They go back to where they came from. What the ledger has already counts no second time; what fails again comes back here.";
    if (!(await confirmed(`Redrive ${which}?`, text, "Redrive"))) return;
    this.#listing.say("Redriving…", "wait");
    try {
      const body = requestIds ? { requestIds } : {};
      const { data } = await this.#session.call("POST", "/api/admin/dead-letters/redrive", { body, timeLimitMs: REDRIVE_LIMIT_MS });
      await this.#listing.load();
      this.#listing.say(`${number(data.redriven)} moved back to be recorded, ${number(data.left)} left.`);
    } catch (error) {
      this.#listing.fail(error);
    }
  }
}

// @ts-check
/** Dead letters: why each is here, what is in it, and the two ways out: recorded after all, or discarded. */

import { confirmed } from "./admin-confirm.js";
import { make, slot, table, time } from "./dom.js";
import { Listing } from "./admin-listing.js";
import { number } from "./messages.js";

const LIMIT = 100;
const TIME_LIMIT_MS = 40_000;
const COLUMNS = ["Select", "Reason", "State", "Player", "Points", "Since", "Attempts", "Request", "Content"];
const SHOWN_REASONS = 3;

export class Letters {
  #session;
  #form;
  #content;
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
    this.#content = slot(section, "content");
    this.#listing = new Listing(section, (cursor) => this.#ask(cursor), (rows, names) => this.#draw(rows, names), "There are no dead letters.");
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const button = /** @type {HTMLButtonElement} */ (event.submitter);
      const ids = button?.value === "all" ? null : this.#selected();
      if (ids?.length === 0) this.#listing.say("Select the dead letters first.", "error");
      else void (button?.name === "discard" ? this.#discard(ids) : this.#redrive(ids));
    });
    this.#form.querySelector("[name=refresh]")?.addEventListener("click", () => this.show());
  }

  show() {
    this.#listing.say("");
    this.#content.replaceChildren();
    void this.#listing.load();
  }

  hide() {
    this.#content.replaceChildren();
    this.#listing.clear();
  }

  /** @param {string} cursor */
  async #ask(cursor) {
    const query = new URLSearchParams({ limit: String(LIMIT), ...(cursor ? { cursor } : {}) });
    const page = await this.#session.call("GET", `/api/admin/dead-letters?${query}`, { timeLimitMs: TIME_LIMIT_MS });
    this.#onCount(page.total);
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
      make("input", { type: "checkbox", name: "letter", value: letter.id, "aria-label": `Select ${letter.requestId ?? letter.id}` }),
      make("strong", {}, letter.reason),
      letter.state,
      names[letter.userId] ?? letter.userId ?? "unreadable",
      letter.increment === null ? "–" : `+${letter.increment}`,
      time(letter.parkedAt),
      number(letter.attempts),
      letter.requestId ? make("a", { href: `#audit?requestId=${encodeURIComponent(letter.requestId)}`, class: "id" }, letter.requestId) : "–",
      make("button", { type: "button", class: "quiet", "aria-label": `Open ${letter.requestId ?? letter.id}`, click: () => void this.#open(letter.id) }, "Open"),
    ]);
    const drawn = table("Dead letters, oldest first", COLUMNS, lines);
    drawn.querySelector("th")?.replaceChildren(all);
    return drawn;
  }

  #boxes() {
    return [.../** @type {NodeListOf<HTMLInputElement>} */ (this.#form.querySelectorAll("input[name=letter]"))];
  }

  #selected() {
    return this.#boxes().filter((box) => box.checked).map((box) => Number(box.value));
  }

  /** @param {number} id */
  async #open(id) {
    try {
      const { data } = await this.#session.call("GET", `/api/admin/dead-letters/${id}`);
      const { content, unreadable, body, history, headers, digest } = data;
      const steps = history.map((/** @type {any} */ step) => [time(step.at), step.state, number(step.attempts), step.reason || "–", step.by ?? "–"]);
      const shown = content ? JSON.stringify(content, null, 2) : unreadable ? `It cannot be opened: ${unreadable}` : "An earlier version kept no content.";
      this.#content.replaceChildren(
        make("h3", { tabindex: "-1" }, `Dead letter ${id}`),
        make("pre", {}, shown),
        table("Its history", ["When", "State", "Attempts", "Reason", "By"], steps),
        make("details", {}, make("summary", {}, "As it came"), make("pre", {}, JSON.stringify({ digest, headers, body }, null, 2))),
      );
      this.#content.querySelector("h3")?.focus();
    } catch (error) {
      this.#listing.fail(error);
    }
  }

  /** @param {number[] | null} ids null for all */
  async #redrive(ids) {
    const text = "They are sent to the ledger once more. What it has already counts no second time; what it refuses again comes back here.";
    if (!(await confirmed(`Redrive ${which(ids)}?`, text, "Redrive"))) return;
    this.#listing.say("Redriving…", "wait");
    await this.#settle("redrive", ids ? { ids } : {}, (data) => `${number(data.redriven)} moved back to be recorded, ${number(data.left)} left`);
  }

  /** @param {number[] | null} ids null for all */
  async #discard(ids) {
    const field = /** @type {HTMLInputElement} */ (this.#form.elements.namedItem("reason"));
    const reason = field.value.trim();
    if (!reason) {
      this.#listing.say("Say why they are discarded.", "error");
      return field.focus();
    }
    const text = "Their points count no longer, and reconciliation takes them off the board. Each stands in the audit log with your reason.";
    if (!(await confirmed(`Discard ${which(ids)}?`, text, "Discard"))) return;
    this.#listing.say("Discarding…", "wait");
    await this.#settle("discard", { reason, ...(ids ? { ids } : { all: true }) }, (data) => `${number(data.discarded)} discarded, ${number(data.left)} left`);
    field.value = "";
  }

  /**
   * @param {string} what
   * @param {Record<string, unknown>} body
   * @param {(data: any) => string} tell
   */
  async #settle(what, body, tell) {
    try {
      const { data } = await this.#session.call("POST", `/api/admin/dead-letters/${what}`, { body, timeLimitMs: TIME_LIMIT_MS });
      this.#content.replaceChildren();
      await this.#listing.load();
      const others = data.letters.filter((/** @type {any} */ letter) => !["recorded", "already_recorded", "discarded"].includes(letter.outcome));
      const reasons = [...new Set(others.map((/** @type {any} */ letter) => letter.reason).filter(Boolean))].slice(0, SHOWN_REASONS);
      const outcomes = Object.entries(data.outcomes).map(([outcome, count]) => `${number(Number(count))} ${outcome.replace("_", " ")}`);
      const parts = [tell(data), ...(outcomes.length ? [outcomes.join(", ")] : []), ...reasons];
      this.#listing.say(`${parts.join(". ")}.`, others.length ? "error" : "done");
    } catch (error) {
      this.#listing.fail(error);
    }
  }
}

/** @param {number[] | null} ids */
function which(ids) {
  if (!ids) return "all dead letters";
  return ids.length === 1 ? "this dead letter" : `these ${ids.length} dead letters`;
}

// @ts-check
/** A list that is asked for page by page, and says what became of asking. */

import { explainToAdmin } from "./admin-messages.js";
import { make, say, slot } from "./dom.js";

/** @typedef {{ data: any[], nextCursor: string | null, usernames?: Record<string, string> }} Page */

export class Listing {
  #section;
  #draw;
  #ask;
  #more;
  /** @type {any[]} */
  #rows = [];
  /** @type {Record<string, string>} */
  #usernames = {};
  /** @type {string | null} */
  #cursor = null;
  #run = 0;

  /**
   * @param {HTMLElement} section
   * @param {(cursor: string) => Promise<Page>} ask
   * @param {(rows: any[], usernames: Record<string, string>) => Node} draw
   * @param {string} nothing what stands there when there is nothing
   */
  constructor(section, ask, draw, nothing) {
    this.#section = section;
    this.#ask = ask;
    this.#draw = (/** @type {any[]} */ rows) => (rows.length ? draw(rows, this.#usernames) : make("p", { class: "nothing" }, nothing));
    this.#more = slot(section, "more");
    this.#more?.addEventListener("click", () => void this.#load(this.#cursor ?? ""));
  }

  /** From the beginning. */
  load() {
    return this.#load("");
  }

  /** @param {string} text @param {"done" | "error" | "wait"} [kind] */
  say(text, kind) {
    say(slot(this.#section, "notice"), text, kind);
  }

  /** @param {unknown} error */
  fail(error) {
    this.say(explainToAdmin(error), "error");
  }

  /** @param {(row: any) => any} change what each row is from now on */
  update(change) {
    this.#rows = this.#rows.map(change);
    this.#show();
  }

  clear() {
    this.#run += 1;
    this.#rows = [];
    slot(this.#section, "list").replaceChildren();
    if (this.#more) this.#more.hidden = true;
    this.say("");
  }

  /** @param {string} cursor */
  async #load(cursor) {
    this.#run += 1;
    const run = this.#run;
    const list = slot(this.#section, "list");
    list.setAttribute("aria-busy", "true");
    try {
      const page = await this.#ask(cursor);
      if (run !== this.#run) return;
      const before = this.#rows.length;
      this.#rows = cursor ? [...this.#rows, ...page.data] : page.data;
      this.#usernames = { ...(cursor ? this.#usernames : {}), ...page.usernames };
      this.#cursor = page.nextCursor;
      this.#show();
      if (cursor && this.#more.hidden) /** @type {HTMLElement} */ (list.querySelectorAll("tbody tr, article")[before] ?? list).scrollIntoView({ block: "nearest" });
    } catch (error) {
      if (run === this.#run) this.fail(error);
    } finally {
      if (run === this.#run) list.removeAttribute("aria-busy");
    }
  }

  #show() {
    slot(this.#section, "list").replaceChildren(this.#draw(this.#rows));
    if (this.#more) this.#more.hidden = !this.#cursor;
  }
}

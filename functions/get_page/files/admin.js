// @ts-check
/** The page for admins: who may come in, and which section is seen. */

import { Accounts } from "./admin-accounts.js";
import { Audit } from "./admin-audit.js";
import { Boards } from "./admin-boards.js";
import { Gate } from "./admin-gate.js";
import { Idle } from "./admin-idle.js";
import { Letters } from "./admin-letters.js";
import { Moderation } from "./admin-moderation.js";
import { number } from "./messages.js";
import { Overview } from "./admin-overview.js";
import { Runs } from "./admin-runs.js";
import { Session } from "./session.js";

const IDLE_LIMIT_MS = 15 * 60_000;

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const session = new Session(() => leave("Your session has ended. Sign in again."));
const gate = new Gate(/** @type {HTMLFormElement} */ (element("gate")), session, () => enter());
const idle = new Idle(IDLE_LIMIT_MS, () => endIdle());

/** @param {number} count */
const showLetterCount = (count) => {
  element("letter-count").textContent = number(count);
  element("letter-count").hidden = count === 0;
};
const overview = new Overview(
  session,
  { state: element("overview-state"), health: element("health"), works: element("works"), rates: element("rates"), hour: element("hour"), totals: element("totals") },
  showLetterCount,
);
/** @type {Record<string, { show: (wanted: URLSearchParams) => void, hide: () => void }>} */
const sections = {
  overview,
  "dead-letters": new Letters(session, element("dead-letters"), showLetterCount),
  audit: new Audit(session, element("audit")),
  reconciliations: new Runs(session, element("reconciliations")),
  users: new Accounts(session, element("users")),
  boards: new Boards(session, element("boards")),
  moderation: new Moderation(session, element("moderation")),
};
let shown = "";

function enter() {
  idle.start();
  document.body.dataset.view = session.user?.role === "admin" ? "admin" : "player";
  element("player-name").textContent = session.user?.username ?? "";
  if (session.user?.role === "admin") show();
}

/** @param {string} why */
function leave(why) {
  idle.stop();
  hide();
  document.body.dataset.view = "guest";
  gate.say(why);
  gate.focus();
}

function endIdle() {
  void session.logOut();
  leave("You were away for a while, so you were signed out.");
}

/** What the address names. */
function show() {
  if (document.body.dataset.view !== "admin") return;
  const [name, query] = location.hash.slice(1).split("?");
  const wanted = Object.hasOwn(sections, name) ? name : "overview";
  const isOther = shown !== "" && shown !== wanted;
  if (shown !== wanted) hide();
  shown = wanted;
  element(wanted).hidden = false;
  for (const link of document.querySelectorAll("#sections a")) {
    if (link.getAttribute("href") === `#${wanted}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  sections[wanted].show(new URLSearchParams(query ?? ""));
  const title = element(wanted).querySelector("h2");
  document.title = `${title?.textContent} – Scoreboard admin`;
  if (isOther) title?.focus();
}

function hide() {
  if (!shown) return;
  sections[shown].hide();
  element(shown).hidden = true;
  shown = "";
}

element("sign-out").addEventListener("click", () => {
  void session.logOut();
  leave("Signed out.");
});
addEventListener("hashchange", show);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) overview.wake();
});

if (!session.restore()) leave("");
else if (idle.isFresh) enter();
else endIdle();

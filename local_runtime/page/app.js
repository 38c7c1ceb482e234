// @ts-check
/** The page: puts its parts together and decides what is seen. */

import { ApiError, request } from "./api.js";
import { Board } from "./board.js";
import { Connection } from "./connection.js";
import { Entry } from "./entry.js";
import { KeyBox } from "./keybox.js";
import { Place } from "./place.js";
import { Play } from "./play.js";
import { LiveBoard } from "./scoreboard.js";
import { Session } from "./session.js";

const GUEST_ASKS_EVERY_MS = 5_000;

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @param {string} id */
const form = (id) => /** @type {HTMLFormElement} */ (document.getElementById(id));

const announcer = element("announcer");
/** @param {string} text */
const announce = (text) => {
  announcer.textContent = text;
};

const session = new Session(() => {
  showGuest();
  entry.say("Your session has ended. Sign in again to play on.");
  entry.focus();
});
const board = new Board(element("board-list"), 10);
const retryButton = /** @type {HTMLButtonElement} */ (element("retry"));
const connection = new Connection(element("connection"), retryButton, announce);
const place = new Place(session, {
  rank: element("own-rank"),
  score: element("own-score"),
  gap: element("own-gap"),
  around: element("around"),
  aroundList: element("around-list"),
});
const play = new Play(form("play"), session, {
  onReceipt: (receipt) => {
    place.seeReceipt(receipt);
    live.retryNow(); // The server answers, so there is nothing left to wait for.
  },
  announce,
});
const keyBox = new KeyBox(element("key-box"), () => (session.user ? play.focus() : entry.focus()));
const entry = new Entry(form("entry"), session, {
  onSignedIn: () => {
    showPlayer();
    if (canPlay()) play.focus();
  },
  onApiKey: (apiKey) => keyBox.show(apiKey),
});
let boardIsFresh = false;
const live = new LiveBoard(session, {
  onBoard: (frame) => {
    boardIsFresh = true;
    showBoard(frame.data, frame.cache_time);
  },
  onState: (state) => {
    connection.show(state);
    element("board").classList.toggle("stale", state.name === "reconnecting");
    if (state.name !== "live") return;
    boardIsFresh = false;
    void fillBoard();
    if (canPlay()) place.ask();
  },
  giveUpAfterMs: Infinity, // somebody looks, and may press the button
});
let guestTimer = 0;

function canPlay() {
  return session.user !== null && session.user.role !== "admin";
}

/**
 * @param {import("./api.js").Line[]} lines
 * @param {string} cacheTime
 */
function showBoard(lines, cacheTime) {
  board.show(lines, session.user?.userId);
  element("board-note").hidden = lines.length > 0;
  element("board-note").textContent = "Nobody is on the board yet. Be the first.";
  const time = /** @type {HTMLTimeElement} */ (element("board-time"));
  time.dateTime = cacheTime;
  time.textContent = new Date(cacheTime).toLocaleTimeString();
  element("board-foot").hidden = false;
  if (canPlay()) place.seeBoard(lines);
}

/** The board by HTTP, for the case that the live board's first message takes its time; that one is newer than any answer. */
async function fillBoard() {
  try {
    const { data, cache_time: cacheTime } = await session.call("GET", "/api/scores");
    if (!boardIsFresh && session.user) showBoard(data, cacheTime);
  } catch {
    // The socket brings the board as well, and shows in its own state when it cannot.
  }
}

function showPlayer() {
  clearTimeout(guestTimer);
  document.body.dataset.view = canPlay() ? "player" : "watcher";
  element("own-title").textContent = session.user?.username ?? "";
  element("to-admin").hidden = session.user?.role !== "admin";
  if (!canPlay()) element("own-gap").textContent = "This account watches; only players have a score.";
  live.start();
  if (canPlay()) place.ask();
}

function showGuest() {
  live.stop();
  place.reset();
  play.reset();
  board.show([]);
  element("board-foot").hidden = true;
  document.body.dataset.view = "guest";
  void watchAsGuest();
}

/** Without a token there is no live connection, but where the board is public it can be asked for. */
async function watchAsGuest() {
  clearTimeout(guestTimer);
  try {
    const { data, cache_time: cacheTime } = await request("GET", "/api/scores");
    if (!session.user) showBoard(data, cacheTime);
  } catch (error) {
    if (session.user) return;
    const isPrivate = error instanceof ApiError && !error.isTemporary && error.status !== 429;
    element("board-note").hidden = false;
    element("board-note").textContent = isPrivate
      ? "The board is for players. Sign in or create a player, and it comes alive."
      : "The scoreboard is catching up. The board appears here by itself.";
    if (isPrivate) return;
  }
  if (!session.user) guestTimer = setTimeout(() => void watchAsGuest(), GUEST_ASKS_EVERY_MS);
}

element("sign-out").addEventListener("click", () => {
  void session.logOut();
  keyBox.hide();
  showGuest();
  announce("Signed out.");
  entry.focus();
});
retryButton.addEventListener("click", () => live.retryNow());
addEventListener("online", () => live.retryNow());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) live.retryNow();
});

if (session.restore()) showPlayer();
else showGuest();

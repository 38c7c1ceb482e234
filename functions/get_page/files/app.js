// @ts-check
/** The page: puts its parts together and decides what is seen. */

import { Board } from "./board.js";
import { addressOf, Chooser, choiceOf, isToCome, MAIN } from "./chooser.js";
import { Chosen } from "./chosen.js";
import { Connection } from "./connection.js";
import { EntryForm } from "./entry-form.js";
import { Entry } from "./entry.js";
import { KeyBox } from "./keybox.js";
import { Naming } from "./naming.js";
import { Place } from "./place.js";
import { Play } from "./play.js";
import { LiveBoard } from "./scoreboard.js";
import { Session } from "./session.js";

/** What the server says of the board: asked for without a token, a private one would only be refused. */
const isPublic = document.body.dataset.board === "public";

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
  name: element("own-title"),
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
const keyBox = new KeyBox(/** @type {HTMLDetailsElement} */ (element("key-box")), () => (session.user ? play.focus() : entry.focus()));
const entry = new Entry(form("entry"), session, {
  onSignedIn: () => {
    showPlayer();
    if (canPlay()) play.focus();
  },
  onApiKey: (apiKey) => keyBox.show(apiKey),
});
const title = element("own-title");
const naming = new Naming(/** @type {HTMLDialogElement} */ (element("naming")), session, (name) => {
  title.textContent = name;
  if (canPlay()) place.ask();
  announce(`You are ${name} now.`);
});
const chooser = new Chooser(element("choose-board"), session, {
  onList: () => {
    if (!isMain()) showChosen();
  },
  onChoose: (board) => choose({ board, period: "", season: 0 }),
});
const chosen = new Chosen(element("chosen"), element("own-place"), session, {
  onChoose: choose,
  onState: (state) => {
    connection.show(state);
    if (state.name === "live" && !chooser.isKnown) void chooser.ask();
  },
});
const entryForm = new EntryForm(form("entry-form"), session, { onReceipt: (receipt) => chosen.seeReceipt(receipt), announce });
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
    if (!chooser.isKnown) void chooser.ask();
  },
  onEnd: () => {
    if (!session.user && isMain()) showPreview();
  },
  giveUpAfterMs: Infinity, // somebody looks, and may press the button
});

function canPlay() {
  return session.user !== null && session.user.role !== "admin";
}

function isMain() {
  return choiceOf().board === MAIN;
}

/** @param {import("./chooser.js").Choice} choice */
function choose(choice) {
  history.pushState(null, "", addressOf(choice));
  showChoice();
}

/** The board that the address names. */
function showChoice() {
  const wasMain = document.body.dataset.shown === "main";
  document.body.dataset.shown = isMain() ? "main" : "other";
  chooser.show();
  chosen.hide();
  entryForm.show(null);
  if (!isMain()) {
    live.stop();
    return showChosen();
  }
  if (!wasMain) connection.show({ name: "off" });
  if (session.user || isPublic) live.start();
  else showPreview();
}

/** A board beside `main`, once it is known which boards there are. */
function showChosen() {
  if (!chooser.isKnown) return;
  const choice = choiceOf();
  const board = chooser.find(choice.board);
  if (board) {
    chosen.show(board, choice);
    entryForm.show(canPlay() && board.write === "player" && !choice.season && !isToCome(board) ? board : null);
  } else {
    chosen.hide();
    entryForm.show(null);
    chosen.tell(session.user ? "There is no such board." : "There is no such board, or only players see it. Sign in to look.");
  }
}

/**
 * @param {import("./scoreboard.js").Line[]} lines
 * @param {string} cacheTime
 */
function showBoard(lines, cacheTime) {
  board.show(lines, session.user?.userId);
  element("board-ties").hidden = !lines.some((line, index) => line.score === lines[index - 1]?.score);
  element("board-note").hidden = lines.length > 0;
  element("board-note").textContent = "Nobody is on the board yet. Be the first.";
  const time = /** @type {HTMLTimeElement} */ (element("board-time"));
  time.dateTime = cacheTime;
  time.textContent = new Date(cacheTime).toLocaleTimeString("en-GB");
  element("board-foot").hidden = false;
  element("board").classList.remove("preview");
  if (canPlay()) place.seeBoard(lines);
}

/** The board by HTTP, for the case that the live board's first message takes its time; that one is newer than any answer. */
async function fillBoard() {
  const user = session.user;
  try {
    const { data, cache_time: cacheTime } = await session.look("GET", "/api/scores");
    if (!boardIsFresh && session.user === user) showBoard(data, cacheTime);
  } catch {
    // The socket brings the board as well, and shows in its own state when it cannot.
  }
}

function showPlayer() {
  element("board").classList.remove("preview");
  live.stop(); // a guest's connection is in nobody's name
  document.body.dataset.view = canPlay() ? "player" : "watcher";
  title.textContent = session.user?.username ?? "";
  element("to-admin").hidden = session.user?.role !== "admin";
  forgetBoards();
  showChoice();
  if (canPlay()) return isMain() ? place.ask() : void showName();
  element("own-gap").textContent = "This account watches; only players have a score.";
  void showName();
}

/** A watcher has no place that would say it. */
async function showName() {
  const user = session.user;
  try {
    const { data } = await session.call("GET", "/api/me");
    if (session.user === user) title.textContent = data.displayName;
  } catch {
    // The username stands there.
  }
}

function showGuest() {
  /** @type {HTMLDialogElement} */ (element("naming")).close();
  live.stop();
  place.reset();
  play.reset();
  board.show([]);
  element("board-foot").hidden = element("board-ties").hidden = true;
  document.body.dataset.view = "guest";
  element("board-note").hidden = true;
  forgetBoards();
  showChoice();
}

/** Another user may see other boards. */
function forgetBoards() {
  chooser.forget();
  void chooser.ask();
}

/** What stands where the board will be, for a guest whom the server does not show it. */
function showPreview() {
  element("board").classList.add("preview");
  element("board-note").hidden = false;
  element("board-note").textContent =
    "Only players see this board. Sign in, or create a player with a name and a password, and it comes alive here.";
}

element("sign-out").addEventListener("click", () => {
  void session.logOut();
  keyBox.hide();
  showGuest();
  announce("Signed out.");
  entry.focus();
});
element("rename").addEventListener("click", () => naming.open(title.textContent ?? ""));
/** Of the board that is looked at; the other one does not wait for anything. */
function retryNow() {
  live.retryNow();
  chosen.retryNow();
}
retryButton.addEventListener("click", retryNow);
addEventListener("online", retryNow);
addEventListener("popstate", showChoice);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) retryNow();
});

if (session.restore()) showPlayer();
else showGuest();

// Everything a player's program does, with the JavaScript client. It needs a running scoreboard and Node 22 or newer:
//   BASE=http://127.0.0.1:8080 node infra/examples/play.mjs
import { randomBytes } from "node:crypto";
import { Scoreboard, ScoreboardError } from "../clients/javascript/scoreboard.js";

const name = `node-${randomBytes(4).toString("hex")}`;
const password = "correct horse battery";

const scoreboard = new Scoreboard(process.env.BASE ?? "http://127.0.0.1:8080");
await scoreboard.register(name, password);
await scoreboard.logIn(name, password);

// The board, live: at once as it is, then every change. It comes back by itself when the connection ends.
let moved = () => {};
const live = scoreboard.watch({
  onBoard: (board) => {
    console.log("the board:", board.version);
    moved();
  },
  onState: ({ name: state }) => console.log("the connection:", state),
});
await new Promise((resolve) => (moved = resolve));

// One update. The client sends it again, under the same key, until it is answered: it counts once. A key of one's own, here the
// name of the goal, makes that hold over a restart of this program, too.
const change = new Promise((resolve) => (moved = resolve));
for (let times = 0; times < 2; times += 1) {
  const { score, rank } = await scoreboard.addPoints(5, { idempotencyKey: `${name}-goal-1` });
  console.log("score", score, "rank", rank);
}
await change;

// Whoever wants to know of waits, and for how long it is tried: 429 and 503 are waited for as Retry-After says.
await scoreboard.addPoints(2, {
  giveUpAfterMs: 30_000,
  onRetry: (error, waitMs) => console.log(`${error.code}: again in ${waitMs} ms`),
});

for (const line of (await scoreboard.standing()).neighbours) console.log("beside us:", line.rank, line.username, line.score);
for await (const entry of scoreboard.history({ pageSize: 1 })) console.log("once:", entry.increment, entry.createdAt);

try {
  await scoreboard.addPoints(6);
} catch (error) {
  if (!(error instanceof ScoreboardError)) throw error;
  console.log("refused:", error.status, error.code);
}
live.stop();
await scoreboard.logOut();
console.log("done");

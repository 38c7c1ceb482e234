// Plays random schedules of boards, junk and disconnects to the JavaScript client and tells those after which an older board was shown
// or the newest one was not. Arguments: how many, and the seed.
import { Scoreboard } from "../../infra/clients/javascript/scoreboard.js";

const [schedules, seed] = process.argv.slice(2).map(Number);
let state = seed;
const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
const pick = (...items) => items[Math.floor(random() * items.length)];
const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

async function play() {
  let current;
  class Socket {
    constructor() {
      current = this;
      setTimeout(() => this.onopen?.(), 0);
    }
    send() {}
    close() {}
  }
  const answer = JSON.stringify({ data: { ticket: "t", pingInterval: 240, reconnectIn: 600 } });
  const token = `.${btoa(JSON.stringify({ sub: "u", exp: Date.now() / 1000 + 900 }))}.`;
  const scoreboard = new Scoreboard("http://scores.test", {
    WebSocket: Socket,
    fetch: async () => new Response(answer, { status: 201 }),
    getAccessToken: async () => token,
    random: () => 0,
  });
  const shown = [];
  const told = [];
  const live = scoreboard.watch({
    onBoard: async ({ version }) => {
      shown.push(version);
      if (random() < 0.3) await turn();
    },
  });
  let arrived = -1;
  for (let step = 0; step < 12; step += 1) {
    while (!current?.onmessage) await turn();
    await turn();
    const socket = current;
    const what = pick("board", "board", "board", "junk", "close");
    told.push(what);
    if (what === "junk") socket.onmessage({ data: pick("", "{}", '{"type":"leaderboard"}', "[1]") });
    if (what === "board") {
      const version = Math.floor(random() * 20);
      arrived = Math.max(arrived, version);
      told.push(version);
      socket.onmessage({ data: JSON.stringify({ type: "leaderboard", version, data: [], cache_time: "" }) });
    }
    if (what === "close") {
      current = undefined;
      socket.onclose({ code: pick(1001, 1006, 1008, 4401) });
      if (random() < 0.5) socket.onmessage({ data: JSON.stringify({ type: "leaderboard", version: 99, data: [], cache_time: "" }) });
    }
  }
  for (let count = 0; count < 4; count += 1) await turn();
  live.stop();
  const rises = shown.every((version, index) => index === 0 || version > shown[index - 1]);
  return rises && (shown.at(-1) ?? -1) === arrived ? [] : [{ told, shown, arrived }];
}

const failures = (await Promise.all(Array.from({ length: schedules }, () => play()))).flat();
console.log(JSON.stringify({ played: schedules, failures: failures.slice(0, 3) }));

// Does what standard input says, a JSON object a line, with the JavaScript client; answers in JSON lines. The same protocol as driver.py.
import { createInterface } from "node:readline";
import { Scoreboard, pause } from "../../infra/clients/javascript/scoreboard.js";

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const reason = (error) => `${error.code}: ${error.detail}`;
const accounts = new Map();
const lives = new Map();

const commands = {
  async join({ name, url, password, token_url: tokenUrl, user_id_claim: userIdClaim, log_in_again: again }) {
    const options = { userIdClaim };
    if (tokenUrl) options.getAccessToken = async () => (await fetch(tokenUrl)).text();
    if (again) options.getCredentials = async () => ({ username: name, password });
    const scoreboard = new Scoreboard(url, options);
    accounts.set(name, scoreboard);
    if (!tokenUrl) await scoreboard.logIn(name, password);
    return true;
  },
  async register({ name, url, password }) {
    return new Scoreboard(url).register(name, password);
  },
  async expire({ name }) {
    accounts.get(name).expire();
    return true;
  },
  async log_out({ name }) {
    await accounts.get(name).logOut();
    return true;
  },
  async add({ name, increment = 1, times = 1 }) {
    let receipt;
    for (let count = 0; count < times; count += 1) receipt = await accounts.get(name).addPoints(increment);
    return receipt;
  },
  async rename({ name, display_name: displayName }) {
    return [await accounts.get(name).rename(displayName), await accounts.get(name).me()];
  },
  async enter({ name, board, value, metadata }) {
    return accounts.get(name).addEntry(board, value, { metadata });
  },
  async board_page({ name, board, limit, cursor }) {
    return accounts.get(name).boardPage(board, { limit, cursor });
  },
  async play_for({ name, seconds }) {
    const endsAt = Date.now() + seconds * 1000;
    let receipt;
    while (Date.now() < endsAt) {
      receipt = await accounts.get(name).addPoints(1);
      await pause(200);
    }
    return receipt;
  },
  async impatient({ name, times }) {
    // All at once: one after the other they would be within the limit on a slow machine.
    await Promise.all(Array.from({ length: times }, () => accounts.get(name).addPoints(1, { waitWhenLimited: false })));
  },
  async end_session({ name }) {
    await accounts.get(name).call("DELETE", "/api/tokens");
    return true;
  },
  async history({ name, page_size: pageSize }) {
    const found = [];
    for await (const entry of accounts.get(name).history({ pageSize })) found.push(entry.increment);
    return found;
  },
  async standing({ name }) {
    return accounts.get(name).standing();
  },
  async watch({ name, alive_seconds: seconds, give_up_seconds: patience, without_websocket: isWithout }) {
    if (isWithout) delete globalThis.WebSocket;
    const live = accounts.get(name).watch({
      onBoard: (board) => say({ board: board.version, scores: Object.fromEntries(board.data.map((line) => [line.username, line.score])) }),
      idleCheckMs: seconds && seconds * 1000,
      giveUpAfterMs: patience && patience * 1000,
      onState: ({ retryAt, error }) => retryAt && say({ reason: reason(error) }),
      onEnd: (error) => say({ ended: error.status, reason: reason(error) }),
    });
    lives.set(name, live);
    return true;
  },
  async stop({ name }) {
    lives.get(name).stop();
    return true;
  },
};

for await (const text of createInterface({ input: process.stdin })) {
  const { id, command, ...parameters } = JSON.parse(text);
  commands[command](parameters).then(
    (result) => say({ id, result }),
    (error) => say({ id, error: { status: error.status, code: error.code, key: error.idempotencyKey, text: String(error.stack) } }),
  );
}
for (const live of lives.values()) live.stop();
process.exit(0); // Node itself would wait for the closing handshake of a connection that died.

// A program that uses all of the JavaScript client; nothing but compiled.
import { LiveBoard, Scoreboard, ScoreboardError, newKey, pause } from "scoreboard-client";
import type { Board, Line, Receipt, SavedSession, State } from "scoreboard-client";

export async function play(saved: SavedSession): Promise<Receipt> {
  const scoreboard = new Scoreboard("https://scores.example", {
    getCredentials: async () => ({ username: "ada", password: "correct horse battery" }),
    onSession: (session) => console.log(session?.refreshToken),
    onSessionEnd: (error: ScoreboardError) => console.log(error.code, error.isTemporary),
  });
  scoreboard.resume(saved);
  const live: LiveBoard = scoreboard.watch({
    onBoard: (board: Board) => board.data.map((line: Line) => line.displayName ?? line.username),
    onState: (state: State) => state.name === "reconnecting" && console.log(state.retryAt, state.error?.message),
    giveUpAfterMs: 1_000,
  });
  const ending = new AbortController();
  const receipt = await scoreboard.addPoints(5, { idempotencyKey: newKey(), signal: ending.signal });
  const entry = await scoreboard.addEntry("laps", 61250, { second: 1, metadata: { car: "red" } });
  const page = await scoreboard.boardPage("laps", { period: "weekly", limit: 100 });
  console.log(entry.periods[0]?.improved, page.nextCursor, page.data[0]?.second);
  for await (const { increment, createdAt } of scoreboard.history({ pageSize: 10 })) console.log(increment, createdAt);
  const { rank, neighbours } = await scoreboard.standing(undefined, 3);
  console.log(rank, neighbours[0]?.score, scoreboard.user?.role, (await scoreboard.top(10)).cache_time);
  await pause(10, ending.signal);
  live.stop();
  await scoreboard.logOut();
  // @ts-expect-error an increment is a number
  scoreboard.addPoints("5").catch((error: unknown) => error instanceof ScoreboardError && error.idempotencyKey);
  // @ts-expect-error a board has to go somewhere
  scoreboard.watch({});
  return receipt;
}

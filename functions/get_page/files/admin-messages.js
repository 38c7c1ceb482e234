// @ts-check
/** What went wrong, in words for those who look after the scoreboard. */

import { explain } from "./messages.js";
import { ScoreboardError as ApiError } from "./scoreboard.js";

/** @type {Record<string, string>} */
const BY_CODE = {
  forbidden: "This account may not do that any more: its role may have changed. Sign out and in again.",
  last_admin: "This is the last admin who can sign in. Give somebody else the role first.",
  unknown_user: "There is no such account.",
  reconciliation_running: "A reconciliation is running. Wait until it has ended, then try again.",
  ledger_behind: "The ledger is too far behind to be compared: updates still wait for it. Try again when the queue is shorter.",
  leaderboard_rebuilding: "The board is being rebuilt from the ledger. Try again in a moment.",
  leaderboard_unavailable: "Redis does not answer. Nothing can be looked at until it does.",
  broker_unavailable: "RabbitMQ does not answer.",
  database_unavailable: "PostgreSQL does not answer.",
  invalid_credentials: "That name and password do not go together.",
};

/** @param {unknown} error */
export function explainToAdmin(error) {
  if (!(error instanceof ApiError)) return explain(error);
  const known = BY_CODE[error.code];
  if (known) return known;
  const reference = error.requestId ? ` (request ${error.requestId})` : "";
  if (error.status === 0) return "No answer came. What was asked for may have been done: look before you try again.";
  if (error.status === 401) return "Your session has ended. Sign in again.";
  return `${error.detail || "That did not work."}${reference}`;
}

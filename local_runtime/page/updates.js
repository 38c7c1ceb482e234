// @ts-check
/** Score updates that count once, however often they have to be sent. */

import { ApiError, backOffMs, pause } from "./api.js";

const GIVE_UP_AFTER_MS = 60_000;
const MAX_TICKETS = 3;
const WANTS_TICKET = ["ticket_required", "invalid_action_ticket"];

/** Whether the server has said that it wants an action ticket with every update. */
let needsTicket = false;

/** Every answer may be the last to get lost, so each update carries a key by which the server knows it again. */
export function newKey() {
  // randomUUID is missing where the page came over plain HTTP from another machine.
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Raise the user's score; sent again with the same key, and the same ticket, while the server does not answer.
 * @param {import("./session.js").Session} session
 * @param {number} increment 1 to 5
 * @param {(error: ApiError) => void} onTrouble told of every failure after which it is sent again
 * @returns {Promise<import("./api.js").Receipt>}
 * @throws {ApiError} when it was refused, or not confirmed for a minute
 */
export async function sendUpdate(session, increment, onTrouble) {
  const user = session.user;
  const path = `/api/score/${encodeURIComponent(user?.userId ?? "")}`;
  /** @type {Record<string, string>} */
  const headers = { "Idempotency-Key": newKey() };
  const giveUpAt = Date.now() + GIVE_UP_AFTER_MS;
  let ticketsRefused = 0;
  for (let attempt = 0; ; attempt += 1) {
    try {
      if (needsTicket) headers["X-Action-Ticket"] ??= (await session.call("POST", `${path}/tickets`)).data.ticket;
      return (await session.call("POST", path, { body: { increment }, headers })).data;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (WANTS_TICKET.includes(error.code) && ticketsRefused < MAX_TICKETS) {
        needsTicket = true;
        ticketsRefused += 1;
        delete headers["X-Action-Ticket"];
        continue;
      }
      if (!error.isTemporary || Date.now() >= giveUpAt || session.user !== user) throw error;
      onTrouble(error);
      const atLeastMs = (error.retryAfterSeconds ?? 0) * 1000;
      await pause(Math.max(atLeastMs, backOffMs(attempt, { firstMs: 400, capMs: 5_000 })));
    }
  }
}

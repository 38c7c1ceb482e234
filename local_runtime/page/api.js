// @ts-check
/** The HTTP API of the page's own host, asked by nobody in particular. */

import { Scoreboard, ScoreboardError } from "./scoreboard.js";

export { ScoreboardError as ApiError };

/** @typedef {import("./scoreboard.js").Line} Line */
/** @typedef {import("./scoreboard.js").Receipt} Receipt */

const guest = new Scoreboard();

/**
 * Send one request and give back the whole JSON document of a successful answer.
 * @param {string} method
 * @param {string} path
 * @param {{ body?: unknown, token?: string, headers?: Record<string, string> }} [options]
 * @returns {Promise<any>}
 * @throws {ScoreboardError}
 */
export function request(method, path, options) {
  return guest.request(method, path, options);
}

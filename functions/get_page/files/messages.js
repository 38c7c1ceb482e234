// @ts-check
/** What went wrong and what to do about it, in words for people. */

import { ScoreboardError as ApiError } from "./scoreboard.js";

/** @type {Record<string, string>} */
const BY_CODE = {
  invalid_credentials: "That name and password do not go together. Check both, or create a new player.",
  username_taken: "Somebody plays under that name already. Choose another one, or sign in if it is yours.",
  invalid_username: "Use 3 to 50 of a–z, A–Z, 0–9, dot, dash and underscore, without spaces or accents; begin with a letter or a digit. You can choose the name shown on the board afterwards.",
  not_a_player: "This account does not play, so it has no score to raise. It can watch.",
  unknown_user: "This account is no longer on the board. Ask whoever runs it, or create a new player.",
  invalid_action_ticket: "That press took too long to arrive, so it did not count. Press again.",
  not_your_score: "This is not your score. Sign out and in again.",
};

/**
 * @param {unknown} error
 * @returns {string}
 */
export function explain(error) {
  if (!(error instanceof ApiError)) return "Something went wrong in this page. Reload it and try again.";
  const known = BY_CODE[error.code];
  if (known) return known;
  // Too short, too common or the name itself: the server says which.
  if (error.code === "weak_password") return error.detail.replaceAll("`password`", "The password");
  if (error.code === "invalid_display_name") return error.detail.replaceAll("`displayName`", "The name");
  if (error.status === 0) return "The scoreboard does not answer. Check your connection and try again.";
  if (error.status === 429) return `Too many tries. Wait ${seconds(error.retryAfterSeconds ?? 60)}, then try again.`;
  if (error.status === 503) return "The scoreboard is catching up. Nothing is lost; try again in a moment.";
  if (error.status === 401) return "Your session has ended. Sign in again.";
  if (error.status >= 500) return `Something went wrong on our side${reference(error)}. Try again in a moment.`;
  return `That did not work${reference(error)}. ${error.detail}`.trim();
}

/** @param {ApiError} error */
function reference(error) {
  return error.requestId ? ` (request ${error.requestId})` : "";
}

/** @param {number} count */
export function seconds(count) {
  return count === 1 ? "1 second" : `${count} seconds`;
}

/** @param {number} count */
export function points(count) {
  return count === 1 ? "1 point" : `${number(count)} points`;
}

/** @param {number} count */
export function players(count) {
  return count === 1 ? "1 player" : `${number(count)} players`;
}

const grouped = new Intl.NumberFormat("en");

/** @param {number} count */
export function number(count) {
  return grouped.format(count);
}

// @ts-check
/** Who is signed in, remembered across a reload. */

import { Scoreboard } from "./scoreboard.js";

const STORAGE_KEY = "scoreboard.session";

/** @typedef {import("./scoreboard.js").User} User */

export class Session extends Scoreboard {
  /** @param {() => void} onEnd called when the session ended without the user asking for it */
  constructor(onEnd) {
    super(undefined, { onSessionEnd: onEnd, onSession: keep });
  }

  /** Take up the session of before a reload, if there was one. */
  restore() {
    try {
      const saved = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "null");
      if (typeof saved.refreshToken !== "string" || typeof saved.user.userId !== "string") return false;
      this.resume(saved);
    } catch {
      return false;
    }
    return true;
  }
}

/**
 * In sessionStorage, not localStorage: a reload stays signed in, but the token dies with the tab and no other tab spends it. The
 * access token, which every request carries, is never written down at all.
 * @param {import("./scoreboard.js").SavedSession | null} session
 */
function keep(session) {
  if (session) sessionStorage.setItem(STORAGE_KEY, JSON.stringify(session));
  else sessionStorage.removeItem(STORAGE_KEY);
}

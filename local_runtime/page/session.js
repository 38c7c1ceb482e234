// @ts-check
/** Who is signed in: tokens, their renewal, and requests made in that name. */

import { ApiError, request } from "./api.js";

const STORAGE_KEY = "scoreboard.session";
const ENDED = new ApiError(401, "session_ended");

/** @typedef {{ userId: string, username: string, role: string }} User */
/** @typedef {{ accessToken: string, expiresIn: number, refreshToken: string }} Tokens */

export class Session {
  /** @type {User | null} */
  user = null;
  #accessToken = "";
  #refreshToken = "";
  #expiresAt = 0;
  /** @type {Promise<void> | null} */
  #renewal = null;

  /** @param {() => void} onEnd called when the session ended without the user asking for it */
  constructor(onEnd) {
    this.#onEnd = onEnd;
  }
  /** @type {() => void} */
  #onEnd;

  /**
   * Create a player; answers the API key, which the server shows this once.
   * @param {string} username
   * @param {string} password
   * @returns {Promise<string>}
   */
  async register(username, password) {
    const { data } = await request("POST", "/api/users", { body: { username, password } });
    return data.apiKey;
  }

  /**
   * @param {string} username
   * @param {string} password
   */
  async signIn(username, password) {
    const { data } = await request("POST", "/api/tokens", { body: { username, password } });
    const { sub, role } = claims(data.accessToken);
    this.user = { userId: sub, username, role };
    this.#keep(data);
  }

  /** Take up the session of before a reload; needs no network, the first request renews the access token. */
  resume() {
    try {
      const { user, refreshToken } = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "null");
      if (typeof refreshToken !== "string" || typeof user?.userId !== "string") return false;
      this.user = user;
      this.#refreshToken = refreshToken;
    } catch {
      return false;
    }
    return true;
  }

  signOut() {
    this.user = null;
    this.#accessToken = this.#refreshToken = "";
    this.#renewal = null;
    sessionStorage.removeItem(STORAGE_KEY);
  }

  /** Sign out, and have the server end the session, too; whoever leaves need not wait for that. */
  async leave() {
    const refreshToken = this.#refreshToken;
    let token = Date.now() < this.#expiresAt ? this.#accessToken : "";
    this.signOut();
    try {
      token ||= (await request("POST", "/api/tokens", { body: { refreshToken } })).data.accessToken;
      await request("DELETE", "/api/tokens", { token });
    } catch {
      // Nobody answers, or the session has ended already: here the tokens are gone, and there they end by themselves.
    }
  }

  /** The access token is not good any more: renew it before the next request. */
  expire() {
    this.#accessToken = "";
  }

  /**
   * Make a request in the user's name, renewing the access token where needed.
   * @param {string} method
   * @param {string} path
   * @param {import("./api.js").Options} [options]
   * @returns {Promise<any>}
   */
  async call(method, path, options = {}) {
    const user = this.user;
    if (!user) throw ENDED;
    if (!this.#accessToken || Date.now() >= this.#expiresAt) await this.#renew();
    const token = this.#accessToken;
    try {
      return await request(method, path, { ...options, token });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401 || this.user !== user) throw error;
    }
    if (token === this.#accessToken) await this.#renew();
    return request(method, path, { ...options, token: this.#accessToken });
  }

  /** One renewal at a time: a refresh token may be good for one use only. */
  #renew() {
    this.#renewal ??= this.#renewOnce().finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  async #renewOnce() {
    const user = this.user;
    try {
      const { data } = await request("POST", "/api/tokens", { body: { refreshToken: this.#refreshToken } });
      if (this.user !== user) throw ENDED;
      this.#keep(data);
    } catch (error) {
      const refused = error instanceof ApiError && !error.isTemporary && error.status !== 429;
      if (refused && user && this.user === user) {
        this.signOut();
        this.#onEnd();
      }
      throw error;
    }
  }

  /** @param {Tokens} tokens */
  #keep({ accessToken, expiresIn, refreshToken }) {
    this.#accessToken = accessToken;
    this.#expiresAt = Date.now() + (expiresIn - Math.min(30, expiresIn / 10)) * 1000;
    this.#refreshToken = refreshToken ?? this.#refreshToken;
    // sessionStorage, not localStorage: a reload stays signed in, but the token dies with the tab and no other tab spends
    // it. The access token, which every request carries, is never written down at all.
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify({ user: this.user, refreshToken: this.#refreshToken }));
  }
}

/**
 * The claims of a JWT, unverified: the server verifies, the page only wants to know who it is.
 * @param {string} token
 * @returns {{ sub: string, role: string }}
 */
function claims(token) {
  const base64 = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))));
}

// @ts-check
/** The live connection: a WebSocket that comes back by itself, with a fresh ticket each time. */

import { ApiError, backOffMs } from "./api.js";

const OPEN_LIMIT_MS = 10_000;
const STEADY_MS = 5_000;
const TOKEN_EXPIRED = 4401;

/** @typedef {{ type: string, version: number, data: import("./api.js").Line[], cache_time: string }} Frame */
/** @typedef {{ name: "off" | "connecting" | "live" | "reconnecting", retryAt?: number }} State */

/**
 * @typedef {object} Callbacks
 * @property {() => Promise<string>} getTicket a one-use ticket, asked for before every attempt
 * @property {(frame: Frame) => void} onFrame
 * @property {(state: State) => void} onState
 * @property {() => void} onExpired the token behind the connection is not good any more
 */

export class LiveSocket {
  #callbacks;
  /** @type {WebSocket | null} */
  #socket = null;
  #wanted = false;
  #wasLive = false;
  #attempts = 0;
  /** Counts attempts, so that what an abandoned one still brings in is ignored. */
  #run = 0;
  #timer = 0;

  /** @param {Callbacks} callbacks */
  constructor(callbacks) {
    this.#callbacks = callbacks;
  }

  start() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#wasLive = false;
    this.#attempts = 0;
    this.#connect();
  }

  stop() {
    this.#wanted = false;
    this.#run += 1;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#socket?.close(1000);
    this.#socket = null;
    this.#callbacks.onState({ name: "off" });
  }

  /** Try at once instead of waiting for the next attempt; does nothing while one is under way. */
  retryNow() {
    if (!this.#wanted || !this.#timer) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  async #connect() {
    this.#timer = 0;
    this.#run += 1;
    const run = this.#run;
    this.#callbacks.onState({ name: this.#wasLive || this.#attempts > 0 ? "reconnecting" : "connecting" });
    try {
      const ticket = await this.#callbacks.getTicket();
      if (run === this.#run) this.#open(ticket, run);
    } catch (error) {
      const atLeastSeconds = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) : 0;
      if (run === this.#run) this.#retryLater(atLeastSeconds * 1000);
    }
  }

  /**
   * @param {string} ticket
   * @param {number} run
   */
  #open(ticket, run) {
    const address = new URL("/ws", location.href.replace(/^http/, "ws"));
    address.searchParams.set("ticket", ticket);
    const socket = new WebSocket(address);
    this.#socket = socket;
    const limit = setTimeout(() => socket.close(), OPEN_LIMIT_MS);
    let openedAt = 0;
    // Versions rise within a connection. The next one may speak to a server that began anew and counts from 1.
    let lastVersion = -1;
    socket.onopen = () => {
      clearTimeout(limit);
      if (run !== this.#run) return;
      openedAt = Date.now();
      this.#wasLive = true;
      this.#callbacks.onState({ name: "live" });
    };
    socket.onmessage = ({ data }) => {
      const frame = run === this.#run ? read(data) : null;
      if (!frame || frame.version < lastVersion) return;
      lastVersion = frame.version;
      this.#callbacks.onFrame(frame);
    };
    socket.onclose = ({ code }) => {
      clearTimeout(limit);
      if (run !== this.#run) return;
      const wasSteady = openedAt > 0 && Date.now() - openedAt >= STEADY_MS;
      if (wasSteady) this.#attempts = 0;
      if (code === TOKEN_EXPIRED) this.#callbacks.onExpired();
      if (code === TOKEN_EXPIRED && wasSteady) this.#connect();
      else this.#retryLater(0);
    };
  }

  /** @param {number} atLeastMs */
  #retryLater(atLeastMs) {
    this.#socket = null;
    if (!this.#wanted) return;
    const delay = Math.max(atLeastMs, backOffMs(this.#attempts));
    this.#attempts += 1;
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.#callbacks.onState({ name: "reconnecting", retryAt: Date.now() + delay });
  }
}

/**
 * @param {unknown} text
 * @returns {Frame | null} null for what is not a board
 */
function read(text) {
  try {
    const frame = JSON.parse(String(text));
    return frame?.type === "leaderboard" && Array.isArray(frame.data) && Number.isFinite(frame.version) ? frame : null;
  } catch {
    return null;
  }
}

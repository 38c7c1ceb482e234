// @ts-check
/** The live connection: a WebSocket that comes back by itself, with a fresh ticket each time, and is replaced before it ends. */

import { ApiError, backOffMs } from "./api.js";

const OPEN_LIMIT_MS = 10_000;
const STEADY_MS = 5_000;
const TOKEN_EXPIRED = 4401;
const PING = JSON.stringify({ action: "ping" });

/** @typedef {{ type: string, version: number, data: import("./api.js").Line[], cache_time: string }} Frame */
/** @typedef {{ ticket: string, pingInterval?: number, reconnectIn?: number, url?: string }} Ticket intervals in seconds */
/** @typedef {{ name: "off" | "connecting" | "live" | "reconnecting", retryAt?: number }} State */

/**
 * @typedef {object} Callbacks
 * @property {() => Promise<Ticket>} getTicket a one-use ticket, asked for before every attempt
 * @property {(frame: Frame) => void} onFrame
 * @property {(state: State) => void} onState
 * @property {() => void} onExpired the token behind the connection is not good any more, or soon will not be
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
  #pinging = 0;
  #replacing = 0;

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
    this.#letGo();
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
   * @param {Ticket} ticket
   * @param {number} run
   * @param {WebSocket | null} replaced is left when the new one is open, and stays when it does not open
   */
  #open(ticket, run, replaced = null) {
    const address = new URL(ticket.url || "/ws", location.href.replace(/^http/, "ws"));
    address.searchParams.set("ticket", ticket.ticket);
    const socket = new WebSocket(address);
    if (!replaced) this.#socket = socket;
    const limit = setTimeout(() => socket.close(), OPEN_LIMIT_MS);
    let openedAt = 0;
    // Versions rise within a connection. The next one may speak to a server that began anew and counts from 1.
    let lastVersion = -1;
    socket.onopen = () => {
      clearTimeout(limit);
      if (run !== this.#run) return socket.close(1000);
      openedAt = Date.now();
      this.#wasLive = true;
      clearTimeout(this.#timer); // The replaced one may have ended a moment ago.
      this.#timer = 0;
      const wentOn = replaced !== null && replaced === this.#socket;
      this.#socket = socket;
      this.#keep(socket, ticket);
      if (wentOn) replaced.close(1000);
      else this.#callbacks.onState({ name: "live" });
    };
    socket.onmessage = ({ data }) => {
      const frame = run === this.#run && socket === this.#socket ? read(data) : null;
      if (!frame || frame.version < lastVersion) return;
      lastVersion = frame.version;
      this.#callbacks.onFrame(frame);
    };
    socket.onclose = ({ code }) => {
      clearTimeout(limit);
      if (run !== this.#run) return;
      if (socket !== this.#socket) {
        if (replaced === this.#socket) this.#replaceIn(backOffMs(this.#attempts + 4), run);
        return;
      }
      this.#letGo();
      const wasSteady = openedAt > 0 && Date.now() - openedAt >= STEADY_MS;
      if (wasSteady) this.#attempts = 0;
      if (code === TOKEN_EXPIRED) this.#callbacks.onExpired();
      if (code === TOKEN_EXPIRED && wasSteady) this.#connect();
      else this.#retryLater(0);
    };
  }

  /**
   * Do what the server asks of those who want to stay.
   * @param {WebSocket} socket
   * @param {Ticket} ticket
   */
  #keep(socket, { pingInterval, reconnectIn }) {
    this.#letGo();
    if (pingInterval) this.#pinging = setInterval(() => socket.send(PING), pingInterval * 1000);
    if (reconnectIn) this.#replaceIn(reconnectIn * 1000, this.#run);
  }

  #letGo() {
    clearInterval(this.#pinging);
    clearTimeout(this.#replacing);
  }

  /**
   * @param {number} delayMs
   * @param {number} run
   */
  #replaceIn(delayMs, run) {
    clearTimeout(this.#replacing);
    this.#replacing = setTimeout(() => this.#replace(run), delayMs);
  }

  /**
   * Open another connection, with a new token behind it, before this one has to end.
   * @param {number} run
   */
  async #replace(run) {
    const old = this.#socket;
    try {
      this.#callbacks.onExpired();
      const ticket = await this.#callbacks.getTicket();
      if (run === this.#run && old && old === this.#socket) this.#open(ticket, run, old);
    } catch {
      if (run === this.#run && old === this.#socket) this.#replaceIn(backOffMs(this.#attempts + 4), run);
    }
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

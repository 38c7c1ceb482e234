// @ts-check
/** The HTTP API: JSON in, JSON out, and one error for everything that can go wrong. */

const TIME_LIMIT_MS = 10_000;

/** @typedef {{ userId: string, username: string, rank: number, score: number }} Line A line of the board. */
/** @typedef {{ userId: string, score: number, rank: number, increment: number, requestId: string }} Receipt */
/** @typedef {{ body?: unknown, token?: string, headers?: Record<string, string> }} Options */

/** A request that was not answered with success; `status` is 0 when no answer came at all. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code stable, snake_case, from the problem document
   * @param {{ detail?: string, requestId?: string, retryAfterSeconds?: number }} [more]
   */
  constructor(status, code, more = {}) {
    super(more.detail ?? code);
    this.status = status;
    this.code = code;
    this.detail = more.detail ?? "";
    this.requestId = more.requestId ?? "";
    this.retryAfterSeconds = more.retryAfterSeconds;
  }

  /** Whether the same request may succeed later; it may also have been carried out already. */
  get isTemporary() {
    return this.status === 0 || this.status >= 500;
  }
}

/**
 * Send one request and give back the whole JSON document of a successful answer.
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<any>}
 * @throws {ApiError}
 */
export async function request(method, path, { body, token, headers = {} } = {}) {
  const sent = new Headers(headers);
  if (token) sent.set("Authorization", `Bearer ${token}`);
  if (body !== undefined) sent.set("Content-Type", "application/json");
  let response;
  let document;
  try {
    response = await fetch(path, {
      method,
      headers: sent,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(TIME_LIMIT_MS),
    });
    document = response.status === 204 ? null : await response.json();
  } catch {
    // An answer cut short in its body counts as none, whatever its status line said; only a refusal stays a refusal.
    throw new ApiError(response && !response.ok ? response.status : 0, "no_answer");
  }
  if (!response.ok) throw problem(response, document);
  return document;
}

/**
 * @param {Response} response
 * @param {any} document
 */
function problem(response, document) {
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return new ApiError(response.status, String(document?.code ?? "unknown"), {
    detail: typeof document?.detail === "string" ? document.detail : undefined,
    requestId: response.headers.get("X-Request-Id") ?? undefined,
    retryAfterSeconds: Number.isFinite(seconds) ? Math.max(1, seconds) : undefined,
  });
}

/**
 * Resolve after a while.
 * @param {number} milliseconds
 */
export function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/**
 * How long to wait before attempt number `attempt` (from 0): doubling, capped, and never the same for two browsers, so
 * that a server which comes back is not met by all of them at once.
 * @param {number} attempt
 * @param {{ firstMs?: number, capMs?: number }} [limits]
 */
export function backOffMs(attempt, { firstMs = 500, capMs = 15_000 } = {}) {
  const ceiling = Math.min(capMs, firstMs * 2 ** attempt);
  return ceiling / 2 + (Math.random() * ceiling) / 2;
}

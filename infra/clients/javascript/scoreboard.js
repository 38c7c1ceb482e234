// @ts-check
/**
 * A client of the scoreboard for browsers and Node 18 or newer: this one file, without dependencies.
 *
 *   const scoreboard = new Scoreboard("https://scores.example");
 *   await scoreboard.logIn("ada", "correct horse battery");
 *   const receipt = await scoreboard.addPoints(5);
 *   const live = scoreboard.watch({ onBoard: (board) => console.log(board.data) });
 */

const TIME_LIMIT_MS = 10_000;
const PROBE_LIMIT_MS = 3_000;
const GIVE_UP_AFTER_MS = 60_000;
const MAX_TICKETS = 3;
const CHANGES = ["POST", "PUT", "PATCH", "DELETE"];
const WANTS_TICKET = ["ticket_required", "invalid_action_ticket"];
/** Nothing of a request is kept or followed by the platform. @type {RequestInit} */
const UNSEEN = { cache: "no-store", credentials: "omit", redirect: "manual" };
/** What is wrong here, or on the way, and does not pass by itself. */
const LASTING = ["cors_refused", "mixed_content", "not_supported", "not_the_api", "redirected"];
const SESSION_ENDED = 4401;
const POLICY = 1008;
const STEADY_MS = 5_000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const CONNECTING = 0;
const SUBSCRIPTION = "board";
const PING = JSON.stringify({ action: "ping" });

/** @typedef {{ userId: string, username: string, displayName?: string, rank: number, score: number, second?: number, metadata?: object | null }} Line A row of the board; `second` where it has a second column, `metadata` where it was asked for. */
/** @typedef {{ userId: string, score: number, rank: number, increment: number, requestId: string }} Receipt */
/** @typedef {{ period: string, season: number, score: number, second?: number, rank: number, improved: boolean }} PeriodPlace */
/** @typedef {{ userId: string, board: string, score: number, second?: number, rank: number, improved: boolean, periods: PeriodPlace[], requestId: string }} EntryReceipt */
/** @typedef {{ data: (Line & { second?: number })[], nextCursor: string | null, total: number, asOf: string, version: string, period: string, season: number }} BoardPage */
/** @typedef {{ requestId: string, increment: number, newScore: number, createdAt: string }} HistoryEntry */
/** @typedef {{ userId: string, username: string, role: string }} User `username` is empty where only a token is known. */
/** @typedef {{ user: User, refreshToken: string }} SavedSession What `resume` takes: enough to go on after a restart. */
/** @typedef {{ type: "leaderboard", version: number, data: Line[], cache_time: string, board?: string, period?: string, season?: number }} Board the last three where a view is watched */
/** @typedef {{ data: Line[], cache_time: string, season?: number }} Asked */
/** @typedef {{ userId: string, username: string, displayName: string, role: string }} OwnAccount */
/** @typedef {{ board: string, period: string, top?: number }} View of a board: its first rows, 1 to 100, 10 where not said */
/** @typedef {{ ticket: string, pingInterval?: number, reconnectIn?: number, url?: string, broadcast?: false }} WsTicket intervals in seconds */
/** @typedef {{ name: "off" | "connecting" | "live" | "reconnecting", retryAt?: number, error?: ScoreboardError }} State `retryAt` in ms of Date.now(); `error`: why it is not live */

/**
 * @typedef {object} Options
 * @property {() => Promise<string>} [getAccessToken] where tokens of an outside identity provider come from; asked again when one is refused
 * @property {string} [userIdClaim] the claim of those tokens with the user's id here, as the server's JWT_USER_ID_CLAIM; `sub`
 * @property {() => Promise<{ username: string, password: string }>} [getCredentials] to log in again when a session has ended
 * @property {(session: SavedSession | null) => void} [onSession] told of every new refresh token, to save it; null when there is none any more
 * @property {(error: ScoreboardError) => void} [onSessionEnd] the session has ended without the user asking for it
 * @property {typeof fetch} [fetch]
 * @property {any} [WebSocket] the class, where the platform has none, as Node before 22; that of the package `ws` does
 * @property {() => number} [random] from 0 to 1
 */

/**
 * @typedef {object} Patience
 * @property {number} [giveUpAfterMs] how long to try; 60 s
 * @property {boolean} [waitWhenLimited] whether 429 is waited for, which is how it is unless you say false
 * @property {(error: ScoreboardError, waitMs: number) => void} [onRetry] told before every wait
 * @property {AbortSignal} [signal] ends trying
 */

/** A request that was not answered with success; `status` is 0 when no answer came at all. */
export class ScoreboardError extends Error {
  /** @type {string | undefined} With a change: it may have been carried out. Sent again under this key, within a day, it is carried out once. */
  idempotencyKey;

  /**
   * @param {number} status
   * @param {string} code stable, snake_case, from the problem document
   * @param {{ detail?: string, requestId?: string, retryAfterSeconds?: number }} [more]
   */
  constructor(status, code, more = {}) {
    super(more.detail ?? code);
    this.name = "ScoreboardError";
    this.status = status;
    this.code = code;
    this.detail = more.detail ?? "";
    this.requestId = more.requestId ?? "";
    this.retryAfterSeconds = more.retryAfterSeconds;
  }

  /** Whether the same request may succeed later; it may also have been carried out already. */
  get isTemporary() {
    if (LASTING.includes(this.code)) return false;
    return this.status === 0 || this.status >= 500 || this.code === "request_in_progress";
  }
}

/** One account on one scoreboard. */
export class Scoreboard {
  /** @type {User | null} */
  user = null;
  #baseUrl;
  #options;
  #accessToken = "";
  #refreshToken = "";
  /** Names the exchange of this refresh token: however often it is sent, it gives one successor. */
  #renewalKey = "";
  #expiresAt = 0;
  /** @type {Promise<void> | null} */
  #renewal = null;
  /** The refresh token on its way to the server. @type {Promise<any> | null} */
  #exchange = null;
  #needsTicket = false;
  /** Whether the API has answered: then what is in its place later may pass. */
  #hasAnswered = false;

  /**
   * @param {string} [baseUrl] the page's own host, where there is a page
   * @param {Options} [options]
   * @throws {TypeError} for what is no URL of a server
   */
  constructor(baseUrl = globalThis.location?.origin, options = {}) {
    this.#baseUrl = serverUrl(baseUrl);
    this.#options = options;
  }

  get options() {
    return this.#options;
  }

  /**
   * Create a player; the API key in the answer is shown this once. Sent again under the same key until the server answers.
   * @param {string} username
   * @param {string} password
   * @param {Patience} [patience]
   * @returns {Promise<{ userId: string, username: string, role: string, apiKey: string }>}
   */
  async register(username, password, patience = {}) {
    const headers = { "Idempotency-Key": newKey() };
    const send = () => this.request("POST", "/api/users", { body: { username, password }, headers, signal: patience.signal });
    return (await this.patiently(send, patience)).data;
  }

  /**
   * @param {string} username
   * @param {string} password
   * @param {Patience} [patience]
   */
  async logIn(username, password, patience = {}) {
    const headers = { "Idempotency-Key": newKey() };
    const send = () => this.request("POST", "/api/tokens", { body: { username, password }, headers, signal: patience.signal });
    const { data } = await this.patiently(send, patience);
    const { sub, role } = claims(data.accessToken);
    this.user = { userId: sub, username, role };
    this.#keep(data);
  }

  /**
   * Take up a saved session; needs no network, the first request renews the access token.
   * @param {SavedSession} saved
   */
  resume({ user, refreshToken }) {
    this.user = user;
    this.#accessToken = "";
    if (refreshToken !== this.#refreshToken) this.#renewalKey = "";
    this.#refreshToken = refreshToken;
  }

  /** Forget the session here, and have the server end it, too; whoever leaves need not wait for that. */
  async logOut() {
    const exchange = this.#exchange;
    const renew = this.#exchanging();
    const headers = { "Idempotency-Key": newKey() };
    let token = Date.now() < this.#expiresAt ? this.#accessToken : "";
    this.#forget();
    try {
      // A refresh token is good for one use: what is being exchanged already is waited for.
      token ||= (await (exchange ?? renew()).catch(() => this.patiently(renew))).data.accessToken;
      await this.patiently(() => this.request("DELETE", "/api/tokens", { token, headers }));
    } catch {
      // Nobody answers, or the session has ended already: here the tokens are gone, and there they end by themselves.
    }
  }

  /** The access token is not good any more: renew it before the next request. */
  expire() {
    this.#accessToken = "";
  }

  /**
   * The user's account: the username, and the display name that boards show.
   * @param {Patience} [patience]
   * @returns {Promise<OwnAccount>}
   */
  async me(patience = {}) {
    return (await this.patiently(() => this.call("GET", "/api/me", { signal: patience.signal }), patience)).data;
  }

  /**
   * Choose the display name; null is the username. Sent again under the same key until the server answers.
   * @param {string | null} displayName 1 to 50 characters of any script
   * @param {Patience} [patience]
   * @returns {Promise<OwnAccount>}
   */
  async rename(displayName, patience = {}) {
    const headers = { "Idempotency-Key": newKey() };
    const send = () => this.call("PATCH", "/api/me", { body: { displayName }, headers, signal: patience.signal });
    return (await this.patiently(send, patience)).data;
  }

  /**
   * Raise the user's score by 1 to 5. Sent again, with the same key and ticket, until the server answers: it counts once.
   * @param {number} increment
   * @param {Patience & { idempotencyKey?: string }} [how] a key of your own outlives this program, for a day
   * @returns {Promise<Receipt>}
   * @throws {ScoreboardError} when it was refused, or not confirmed in time; then with its `idempotencyKey`
   */
  async addPoints(increment, how = {}) {
    const user = await this.#whoAmI();
    return this.#countOnce(user, `/api/score/${encodeURIComponent(user.userId)}`, { increment }, how);
  }

  /**
   * Add an entry of the user's to a board beside `main`; like `addPoints` it counts once.
   * @param {string} board
   * @param {number} value
   * @param {Patience & { second?: number, metadata?: object, idempotencyKey?: string }} [how]
   * @returns {Promise<EntryReceipt>}
   * @throws {ScoreboardError}
   */
  async addEntry(board, value, { second, metadata, ...how } = {}) {
    const user = await this.#whoAmI();
    const path = `/api/boards/${encodeURIComponent(board)}/scores/${encodeURIComponent(user.userId)}`;
    return this.#countOnce(user, path, { value, second, metadata }, how);
  }

  /**
   * Rows of a board: from the top, from a `rank`, with a player in the middle (`around`), or after the `cursor` of the page before.
   * Its first period and the open season where no other is said; without a session where the board is public.
   * @param {string} board
   * @param {Patience & { period?: string, season?: number, limit?: number, cursor?: string, around?: string, rank?: number, metadata?: boolean }} [what] `metadata`: rows have that of the entry that made the score
   * @returns {Promise<BoardPage>}
   */
  boardPage(board, { period, season, limit, cursor, around, rank, metadata, ...patience } = {}) {
    const asked = Object.entries({ period, season, limit, cursor, around, rank, metadata }).filter(([, value]) => value !== undefined);
    const query = new URLSearchParams(asked.map(([name, value]) => [name, String(value)]));
    return this.patiently(() => this.look("GET", `/api/boards/${encodeURIComponent(board)}/scores?${query}`), patience);
  }

  /**
   * @param {User} user
   * @param {string} path
   * @param {object} body
   * @param {Patience & { idempotencyKey?: string }} how
   * @returns {Promise<any>}
   */
  async #countOnce(user, path, body, { idempotencyKey = newKey(), ...patience }) {
    const tickets = `/api/score/${encodeURIComponent(user.userId)}/tickets`;
    /** @type {Record<string, string>} */
    const headers = { "Idempotency-Key": idempotencyKey };
    let ticketsLeft = MAX_TICKETS;
    const send = async () => {
      if (this.user !== user) throw sessionEnded();
      for (;;) {
        try {
          if (this.#needsTicket) headers["X-Action-Ticket"] ??= (await this.call("POST", tickets)).data.ticket;
          return (await this.call("POST", path, { body, headers, signal: patience.signal })).data;
        } catch (error) {
          if (!(error instanceof ScoreboardError) || !WANTS_TICKET.includes(error.code) || ticketsLeft === 0) throw error;
          this.#needsTicket = true;
          ticketsLeft -= 1;
          delete headers["X-Action-Ticket"];
        }
      }
    };
    try {
      return await this.patiently(send, patience);
    } catch (error) {
      if (error instanceof ScoreboardError) error.idempotencyKey = idempotencyKey;
      throw error;
    }
  }

  /**
   * The best players; without a session where the board is public.
   * @param {number} [limit] 1 to 100
   * @param {Patience} [patience]
   * @returns {Promise<{ data: Line[], cache_time: string }>}
   */
  top(limit = 10, patience = {}) {
    return this.patiently(() => this.look("GET", `/api/scores?limit=${limit}`), patience);
  }

  /**
   * A player's score and rank, with those around.
   * @param {string} [userId] the user's own where not said
   * @param {number} [neighbours] on each side
   * @param {Patience} [patience]
   * @returns {Promise<Line & { neighbours: Line[] }>}
   */
  async standing(userId, neighbours = 2, patience = {}) {
    userId ??= (await this.#whoAmI()).userId;
    const path = `/api/score/${encodeURIComponent(userId)}?neighbours=${neighbours}`;
    return (await this.patiently(() => this.call("GET", path), patience)).data;
  }

  /**
   * The user's updates, newest first, as many pages as are asked for: `for await (const entry of scoreboard.history())`.
   * @param {{ userId?: string, pageSize?: number } & Patience} [options]
   * @returns {AsyncGenerator<HistoryEntry>}
   */
  async *history({ userId, pageSize = 50, ...patience } = {}) {
    userId ??= (await this.#whoAmI()).userId;
    const path = `/api/score/${encodeURIComponent(userId)}/history?limit=${pageSize}`;
    for (let cursor = ""; ; ) {
      const page = await this.patiently(() => this.call("GET", path + cursor), patience);
      yield* page.data;
      if (!page.nextCursor) return;
      cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`;
    }
  }

  /**
   * Watch the board live, until `stop()`; without a session where the board is public.
   * @param {Callbacks} callbacks
   * @returns {LiveBoard}
   * @throws {ScoreboardError} `not_supported` where there is no WebSocket
   */
  watch(callbacks) {
    const live = new LiveBoard(this, callbacks);
    live.start();
    return live;
  }

  /**
   * Where a WebSocket of this scoreboard connects to, with a ticket.
   * @param {WsTicket} ticket
   */
  socketUrl({ url, ticket }) {
    const address = new URL(url || `${this.#baseUrl}/ws`, this.#baseUrl);
    address.protocol = address.protocol.replace("http", "ws");
    address.searchParams.set("ticket", ticket);
    return address;
  }

  /**
   * Make a request in the user's name, renewing the access token where needed. What changes something gets an Idempotency-Key
   * unless `headers` has one.
   * @param {string} method
   * @param {string} path
   * @param {{ body?: unknown, headers?: Record<string, string>, signal?: AbortSignal, timeLimitMs?: number }} [options]
   * @returns {Promise<any>}
   * @throws {ScoreboardError}
   */
  async call(method, path, options = {}) {
    options = { ...options, headers: keyed(method, options.headers) };
    const user = await this.#whoAmI();
    if (!this.#accessToken || Date.now() >= this.#expiresAt) await this.#renew();
    const token = this.#accessToken;
    try {
      return await this.request(method, path, { ...options, token });
    } catch (error) {
      if (!(error instanceof ScoreboardError) || error.status !== 401 || this.user !== user) throw error;
    }
    if (token === this.#accessToken) await this.#renew();
    if (this.user !== user) throw sessionEnded();
    return this.request(method, path, { ...options, token: this.#accessToken });
  }

  /**
   * Ask in the user's name; without a session in nobody's, which is answered where the board is public.
   * @param {string} method
   * @param {string} path
   * @returns {Promise<any>}
   */
  look(method, path) {
    return this.user || this.#options.getAccessToken ? this.call(method, path) : this.request(method, path);
  }

  /**
   * Send one request, once, and give back the whole JSON document of a successful answer.
   * @param {string} method
   * @param {string} path
   * @param {{ body?: unknown, token?: string, headers?: Record<string, string>, signal?: AbortSignal, timeLimitMs?: number }} [options]
   * @returns {Promise<any>}
   * @throws {ScoreboardError}
   */
  async request(method, path, { body, token, headers = {}, signal, timeLimitMs = TIME_LIMIT_MS } = {}) {
    const sent = new Headers(keyed(method, headers));
    if (token) sent.set("Authorization", `Bearer ${token}`);
    if (body !== undefined) sent.set("Content-Type", "application/json");
    try {
      return await this.#send(path, timeLimitMs, {
        method,
        headers: sent,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal,
      });
    } catch (error) {
      if (error instanceof ScoreboardError) error.idempotencyKey = sent.get("Idempotency-Key") ?? undefined;
      throw error;
    }
  }

  /**
   * @param {string} path
   * @param {number} timeLimitMs
   * @param {RequestInit} sent
   * @returns {Promise<any>}
   */
  async #send(path, timeLimitMs, { signal, ...sent }) {
    const ends = new AbortController();
    const abort = () => ends.abort(signal?.reason);
    const late = `no answer within ${timeLimitMs / 1000} s`;
    const limit = setTimeout(() => ends.abort(new Error(late)), timeLimitMs);
    let response;
    let text;
    try {
      if (signal?.aborted) throw signal.reason;
      signal?.addEventListener("abort", abort);
      const init = { ...sent, ...UNSEEN, signal: ends.signal };
      response = await (this.#options.fetch ?? fetch)(this.#baseUrl + path, init);
      text = await response.text();
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      const said = ends.signal.aborted ? late : reasonOf(error);
      // An answer cut short in its body counts as none, whatever its status line said; only a refusal stays a refusal.
      if (response) throw new ScoreboardError(response.ok ? 0 : response.status, "no_answer", { detail: said });
      throw await this.#unanswered(said);
    } finally {
      clearTimeout(limit);
      signal?.removeEventListener("abort", abort);
    }
    const document = parsed(text);
    const isProblem = !response.ok && typeof document?.code === "string";
    const isAnswer = response.status === 204 || (path.startsWith("/api/") ? document?.data : document) !== undefined;
    if (isProblem || (response.ok && isAnswer)) this.#hasAnswered = true;
    if (isProblem) throw problem(response, document);
    if (response.ok && isAnswer) return document ?? null;
    throw this.#strange(`${sent.method} ${this.#baseUrl}${path}`, response);
  }

  /**
   * Call `send` until it succeeds or fails for good, waiting as the server says, or ever longer, and never all clients at once.
   * @template T
   * @param {() => Promise<T>} send
   * @param {Patience} [patience]
   * @returns {Promise<T>}
   */
  async patiently(send, { giveUpAfterMs = GIVE_UP_AFTER_MS, waitWhenLimited = true, onRetry, signal } = {}) {
    const giveUpAt = Date.now() + giveUpAfterMs;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await send();
      } catch (error) {
        const mayPass = error instanceof ScoreboardError && (error.isTemporary || (waitWhenLimited && error.status === 429));
        if (!mayPass) throw error;
        const waitMs = (error.retryAfterSeconds ?? 0) * 1000 + this.jitterMs(attempt, { firstMs: 400, capMs: 5_000 });
        if (Date.now() + waitMs > giveUpAt) throw error;
        onRetry?.(error, waitMs);
        await pause(waitMs, signal);
      }
    }
  }

  /**
   * A wait before attempt number `attempt` (from 0): anything up to a doubling, capped limit, so that a server which comes
   * back is not met by everybody at once.
   * @param {number} attempt
   * @param {{ firstMs?: number, capMs?: number }} [limits]
   */
  jitterMs(attempt, { firstMs = 500, capMs = 15_000 } = {}) {
    return (this.#options.random ?? Math.random)() * Math.min(capMs, firstMs * 2 ** attempt);
  }

  /**
   * Why no answer came. That an answer was kept from a page, a browser tells nobody: a request whose answer nobody reads does.
   * @param {string} said by the platform
   */
  async #unanswered(said) {
    const page = globalThis.location?.origin;
    const { origin, protocol } = new URL(this.#baseUrl);
    const none = new ScoreboardError(0, "no_answer", { detail: `${origin} does not answer: ${said}` });
    if (!page || origin === page) return none;
    if (await this.#isThere()) {
      const why = page === "null" ? "no page without a web server can be allowed" : `its CORS_ALLOWED_ORIGINS lacks ${page}`;
      const detail = `${origin} answers, but the browser keeps the answers from this page. If that is the scoreboard, ${why}.`;
      return new ScoreboardError(0, this.#unlessAnswered("cors_refused"), { detail });
    }
    if (page.startsWith("https:") && protocol === "http:") {
      const detail = `${origin} does not answer (${said}): from a page that came by https, browsers ask https alone.`;
      return new ScoreboardError(0, this.#unlessAnswered("mixed_content"), { detail });
    }
    return none;
  }

  /** Whether a scoreboard is there that answers a browser, though not this page. */
  async #isThere() {
    const signal = AbortSignal.timeout(PROBE_LIMIT_MS);
    try {
      await (this.#options.fetch ?? fetch)(`${this.#baseUrl}/assets/scoreboard.js`, { cache: "no-store", mode: "no-cors", signal });
      return true;
    } catch {
      return false;
    }
  }

  /**
   * What to call a fault that does not pass, unless the API has answered before: then it is an outage.
   * @param {string} code
   */
  #unlessAnswered(code) {
    return this.#hasAnswered ? "no_answer" : code;
  }

  /**
   * An answer that is not the API's: something else is at this address, or stands before it.
   * @param {string} request
   * @param {Response} response
   */
  #strange(request, response) {
    const { status, type } = response;
    if (type === "opaqueredirect" || (status >= 300 && status < 400)) {
      const place = response.headers.get("Location");
      const detail = `${request} is redirected${place ? ` to ${place}` : ""}: give the address that it leads to.`;
      return new ScoreboardError(this.#hasAnswered ? 0 : status, this.#unlessAnswered("redirected"), { detail });
    }
    const media = response.headers.get("Content-Type")?.split(";")[0] || "no content type";
    const detail = `${request} was answered with ${status} and ${media}, which is no answer of a scoreboard.`;
    // Said by what stands before the API, as API Gateway does.
    if (status === 429 || (status >= 500 && status !== 501)) return problem(response, { detail });
    const asked = new ScoreboardError(status, "not_the_api", { detail: `${detail} Is ${this.#baseUrl} its address?` });
    return response.ok && this.#hasAnswered ? new ScoreboardError(0, "no_answer", { detail }) : asked;
  }

  /** @returns {Promise<User>} */
  async #whoAmI() {
    if (!this.user && this.#options.getAccessToken) await this.#renew();
    if (!this.user) throw sessionEnded();
    return this.user;
  }

  /** How to send the refresh token: under the same key as often as it is sent. @returns {() => Promise<any>} */
  #exchanging() {
    this.#renewalKey ||= newKey();
    const options = { body: { refreshToken: this.#refreshToken }, headers: { "Idempotency-Key": this.#renewalKey } };
    return () => this.request("POST", "/api/tokens", options);
  }

  /** One renewal at a time: a refresh token is good for one use, and for further tries of that one under its key. */
  #renew() {
    this.#renewal ??= this.#renewOnce().finally(() => {
      this.#renewal = this.#exchange = null;
    });
    return this.#renewal;
  }

  async #renewOnce() {
    const { getAccessToken, getCredentials } = this.#options;
    if (getAccessToken) return this.#useOutside(await getAccessToken());
    const user = this.user;
    try {
      this.#exchange = this.#exchanging()();
      const { data } = await this.#exchange;
      if (this.user !== user) throw sessionEnded();
      this.#keep(data);
    } catch (error) {
      if (!(error instanceof ScoreboardError) || error.status !== 401 || this.user !== user) throw error;
      if (getCredentials) {
        const { username, password } = await getCredentials();
        const headers = { "Idempotency-Key": this.#renewalKey };
        const { data } = await this.request("POST", "/api/tokens", { body: { username, password }, headers });
        return this.#keep(data); // `user` stays the same object: what is under way in that name goes on.
      }
      this.#forget();
      this.#options.onSessionEnd?.(error);
      throw error;
    }
  }

  /** @param {string} token */
  #useOutside(token) {
    const { role = "player", exp, ...told } = claims(token);
    const userId = canonical(told[this.#options.userIdClaim ?? "sub"] ?? "");
    if (this.user?.userId !== userId) this.user = { userId, username: "", role };
    this.#accessToken = token;
    this.#expiresAt = exp * 1000;
  }

  /** @param {{ accessToken: string, expiresIn: number, refreshToken: string }} tokens */
  #keep({ accessToken, expiresIn, refreshToken }) {
    this.#accessToken = accessToken;
    this.#expiresAt = Date.now() + (expiresIn - Math.min(30, expiresIn / 10)) * 1000;
    this.#refreshToken = refreshToken;
    this.#renewalKey = "";
    this.#options.onSession?.({ user: /** @type {User} */ (this.user), refreshToken });
  }

  #forget() {
    this.user = null;
    this.#accessToken = this.#refreshToken = this.#renewalKey = "";
    this.#renewal = this.#exchange = null;
    this.#options.onSession?.(null);
  }
}

/**
 * @typedef {object} Callbacks
 * @property {(board: Board) => unknown} onBoard the newest board, versions only rise; while a promise it returned is pending, boards in between are skipped
 * @property {(state: State) => void} [onState]
 * @property {(error: ScoreboardError) => void} [onEnd] the server refuses this user for good, or the first connection did not come about; watching has stopped. Without it, it is written to the console
 * @property {number} [giveUpAfterMs] how long to try for the first connection; 60 s. One that was lost later is tried for again without end
 * @property {number} [idleCheckMs] after so long without a board it is held against what the API answers; 30 s
 * @property {View} [view] watch this, and not `main`; not where viewers connect to AppSync
 */

/** The live board: a WebSocket that comes back by itself, with a fresh ticket each time, and is replaced before it ends. */
export class LiveBoard {
  #scoreboard;
  #callbacks;
  /** @type {WebSocket | null} */
  #socket = null;
  #isWanted = false;
  #wasLive = false;
  #attempts = 0;
  /** Counts attempts, so that what an abandoned one still brings in is ignored. */
  #run = 0;
  #givesUpAt = 0;
  /** @type {ScoreboardError | null} Why there is no connection. */
  #reason = null;
  /** @type {any} */
  #timer = 0;
  /** @type {any} */
  #pinging = 0;
  /** @type {any} */
  #replacing = 0;
  /** @type {any} */
  #idling = 0;
  /** @type {Board | null} The newest one; the server counts on even when it lost everything, so no older one is shown again. */
  #board = null;
  #isBusy = false;
  /** @type {Board | null} */
  #waiting = null;

  /**
   * @param {Scoreboard} scoreboard
   * @param {Callbacks} callbacks
   */
  constructor(scoreboard, callbacks) {
    this.#scoreboard = scoreboard;
    this.#callbacks = callbacks;
  }

  /** @throws {ScoreboardError} `not_supported` where there is no WebSocket */
  start() {
    if (this.#isWanted) return;
    this.#Socket(); // A platform without one is told at once.
    this.#isWanted = true;
    this.#wasLive = false;
    this.#attempts = 0;
    this.#reason = null;
    this.#givesUpAt = Date.now() + (this.#callbacks.giveUpAfterMs ?? GIVE_UP_AFTER_MS);
    this.#connect();
  }

  stop() {
    this.#halt();
  }

  /** @param {ScoreboardError} [error] why, where it was not wanted */
  #halt(error) {
    this.#isWanted = false;
    this.#run += 1;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#letGo();
    if (this.#socket?.readyState !== CONNECTING) this.#socket?.close(1000); // browsers note an error; it is closed once it is open
    this.#socket = this.#board = this.#waiting = null;
    this.#tell(error ? { name: "off", error } : { name: "off" });
  }

  /** Try at once instead of waiting for the next attempt; does nothing while one is under way. */
  retryNow() {
    if (!this.#isWanted || !this.#timer) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  async #connect() {
    this.#timer = 0;
    this.#run += 1;
    const run = this.#run;
    this.#tell(this.#reason ? { name: "reconnecting", error: this.#reason } : { name: "connecting" });
    if (run !== this.#run) return; // The callback has stopped us.
    try {
      const ticket = await this.#getTicket();
      if (run === this.#run) this.#open(ticket, run);
    } catch (error) {
      if (run !== this.#run) return;
      const reason = error instanceof ScoreboardError ? error : new ScoreboardError(0, "not_supported", { detail: reasonOf(error) });
      if (this.#isFinal(reason)) this.#end(reason);
      else this.#retryLater(reason);
    }
  }

  /**
   * Whether trying on is of no use: the user is refused, or there is something wrong that does not pass.
   * @param {ScoreboardError} error
   */
  #isFinal(error) {
    if ([401, 403].includes(error.status)) return true;
    return !this.#wasLive && !(error.isTemporary || [408, 429].includes(error.status));
  }

  /** @returns {Promise<WsTicket>} */
  async #getTicket() {
    const ticket = (await this.#scoreboard.look("POST", "/api/ws-tickets")).data;
    // Other boards are public, `main` is not.
    if (ticket.broadcast === false && !this.#callbacks.view) throw new ScoreboardError(401, "missing_token", { detail: "This board is not public: log in." });
    return ticket;
  }

  /** @param {ScoreboardError} error */
  #end(error) {
    this.#halt(error);
    if (this.#callbacks.onEnd) this.#callbacks.onEnd(error);
    else console.error(`The live board has ended: ${error.code}: ${error.message}`);
  }

  /** @returns {any} the class */
  #Socket() {
    const Socket = this.#scoreboard.options.WebSocket ?? globalThis.WebSocket;
    const detail = "There is no WebSocket here: use Node 22 or newer, or give a class as the option `WebSocket`, as that of the package `ws`.";
    if (!Socket) throw new ScoreboardError(0, "not_supported", { detail });
    return Socket;
  }

  /**
   * @param {WsTicket} ticket
   * @param {number} run
   * @param {WebSocket | null} replaced is left when the new one is open, and stays when it does not open
   */
  #open(ticket, run, replaced = null) {
    const url = this.#scoreboard.socketUrl(ticket);
    const socket = new (this.#Socket())(url);
    let said = "";
    if (!replaced) this.#socket = socket;
    const limit = setTimeout(() => socket.close(), TIME_LIMIT_MS);
    let openedAt = 0;
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
      this.#subscribe(socket);
      if (wentOn) replaced.close(1000);
      else this.#tell({ name: "live" });
    };
    socket.onmessage = (/** @type {{ data: unknown }} */ { data }) => {
      if (run !== this.#run || socket !== this.#socket) return;
      this.#checkLater(socket);
      const message = parsed(String(data));
      if (message?.type === "error" && this.#callbacks.view) return this.#refused(message, socket);
      const board = read(message, this.#callbacks.view);
      if (!board || board.version <= (this.#board?.version ?? -1)) return;
      this.#board = this.#waiting = board;
      if (!this.#isBusy) void this.#deliver();
    };
    socket.onclose = (/** @type {{ code: number }} */ { code }) => {
      clearTimeout(limit);
      if (run !== this.#run) return;
      if (socket !== this.#socket) {
        if (replaced === this.#socket) this.#replaceIn(this.#scoreboard.jitterMs(this.#attempts + 4), run);
        return;
      }
      const end = openedAt ? "ended" : "did not come about: the server, or a proxy on the way, refuses it";
      const detail = `The WebSocket to ${url.host}${url.pathname} ${end} (${said || `code ${code}`}).`;
      this.#leave(code, openedAt > 0 && Date.now() - openedAt >= STEADY_MS, new ScoreboardError(0, "no_websocket", { detail }));
    };
    socket.onerror = (/** @type {any} */ event) => {
      said = String(event?.error?.message ?? event?.message ?? ""); // Browsers keep it to themselves.
    };
  }

  /** @param {WebSocket} socket */
  #subscribe(socket) {
    const { view } = this.#callbacks;
    if (!view) return;
    const { board, period, top = 10 } = view;
    socket.send(JSON.stringify({ type: "subscribe", id: SUBSCRIPTION, board, period, view: { top } }));
  }

  /**
   * The board is not to be watched, or not yet.
   * @param {{ status?: unknown, code?: unknown, detail?: unknown }} message
   * @param {WebSocket} socket
   */
  #refused({ status, code, detail }, socket) {
    const passes = Number(status) >= 500;
    if (!passes) return this.#end(new ScoreboardError(Number(status) || 422, String(code), { detail: String(detail) }));
    setTimeout(() => socket === this.#socket && this.#subscribe(socket), 1_000 + this.#scoreboard.jitterMs(2));
  }

  /** Hand the newest board over, and wait for a handler that takes its time. */
  async #deliver() {
    this.#isBusy = true;
    try {
      while (this.#waiting) {
        const board = this.#waiting;
        this.#waiting = null;
        await this.#callbacks.onBoard(board);
      }
    } finally {
      this.#isBusy = false;
    }
  }

  /**
   * The connection has ended; come back, at once where only its token had expired.
   * @param {number} code
   * @param {boolean} wasSteady
   * @param {ScoreboardError} reason
   */
  #leave(code, wasSteady, reason) {
    this.#letGo();
    if (wasSteady) this.#attempts = 0;
    if (code === SESSION_ENDED) this.#scoreboard.expire();
    if (code === POLICY) this.#attempts = Math.max(this.#attempts, 3); // We did something it does not like: slowly.
    this.#reason = reason;
    if (code === SESSION_ENDED && wasSteady) this.#connect();
    else this.#retryLater(reason);
  }

  /**
   * Do what the server asks of those who want to stay.
   * @param {WebSocket} socket
   * @param {WsTicket} ticket
   */
  #keep(socket, { pingInterval, reconnectIn }) {
    this.#letGo();
    if (pingInterval) this.#pinging = setInterval(() => socket.send(PING), pingInterval * 1000);
    if (reconnectIn) this.#replaceIn(reconnectIn * 1000, this.#run);
    this.#checkLater(socket);
  }

  #letGo() {
    clearInterval(this.#pinging);
    clearTimeout(this.#replacing);
    clearTimeout(this.#idling);
  }

  /** @param {WebSocket} socket */
  #checkLater(socket) {
    clearTimeout(this.#idling);
    this.#idling = setTimeout(() => void this.#check(socket), this.#callbacks.idleCheckMs ?? 30_000);
  }

  /**
   * Nothing came for a while: either nothing happened, or the connection is dead and does not know it, which a browser cannot see.
   * @param {WebSocket} socket
   */
  async #check(socket) {
    const board = this.#board;
    let isAlive = true;
    try {
      const asked = await this.#ask();
      isAlive = !hasMoved(board, asked);
      if (!isAlive) await pause(2_000); // The board's message may be on its way.
    } catch (error) {
      isAlive = !(error instanceof ScoreboardError) || error.status !== 0;
    }
    if (socket !== this.#socket || board !== this.#board) return;
    if (isAlive) return this.#checkLater(socket);
    this.#run += 1;
    socket.close();
    this.#leave(1006, true, new ScoreboardError(0, "no_websocket", { detail: "The connection died without a word." }));
  }

  /** What the API says of what is watched. @returns {Promise<Asked>} */
  async #ask() {
    const { view } = this.#callbacks;
    if (!view) return this.#scoreboard.look("GET", "/api/scores");
    const wanted = new URLSearchParams({ limit: String(view.top ?? 10), ...(view.period ? { period: view.period } : {}) });
    const { data, asOf, season } = await this.#scoreboard.look("GET", `/api/boards/${encodeURIComponent(view.board)}/scores?${wanted}`);
    return { data, cache_time: asOf, season };
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
      this.#scoreboard.expire();
      const ticket = await this.#getTicket();
      if (run === this.#run && old && old === this.#socket) this.#open(ticket, run, old);
    } catch {
      if (run === this.#run && old === this.#socket) this.#replaceIn(this.#scoreboard.jitterMs(this.#attempts + 4), run);
    }
  }

  /** @param {ScoreboardError} reason */
  #retryLater(reason) {
    this.#socket = null;
    if (!this.#isWanted) return;
    const delay = (reason.retryAfterSeconds ?? 0) * 1000 + this.#scoreboard.jitterMs(this.#attempts);
    if (!this.#wasLive && Date.now() + delay > this.#givesUpAt) return this.#end(reason);
    this.#attempts += 1;
    this.#reason = reason;
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.#tell({ name: "reconnecting", retryAt: Date.now() + delay, error: reason });
  }

  /** @param {State} state */
  #tell(state) {
    this.#callbacks.onState?.(state);
  }
}

/** A key by which the server knows a request again. */
export function newKey() {
  // randomUUID is missing where the page came over plain HTTP from another machine.
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The headers of a request, with a key for what changes something.
 * @param {string} method
 * @param {Record<string, string>} [headers]
 * @returns {Record<string, string>}
 */
function keyed(method, headers = {}) {
  const hasKey = !CHANGES.includes(method) || new Headers(headers).has("Idempotency-Key");
  return hasKey ? headers : { ...headers, "Idempotency-Key": newKey() };
}

/**
 * Resolve after a while; reject with the signal's reason when it aborts before.
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", abort, { once: true });
  });
}

function sessionEnded() {
  return new ScoreboardError(401, "session_ended", { detail: "Nobody is logged in, or the session has ended." });
}

/**
 * The base of a server's URLs, without a slash at its end.
 * @param {string | undefined} text
 */
function serverUrl(text) {
  let url;
  try {
    url = new URL(text ?? "", globalThis.location?.href);
  } catch {
    // Told below.
  }
  if (!text || !url || !/^https?:$/.test(url.protocol)) {
    throw new TypeError(`${JSON.stringify(text)} is no URL of a scoreboard: give one that begins with http:// or https://`);
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}

/** @param {any} error */
function reasonOf(error) {
  const cause = error?.cause?.message || error?.cause?.code;
  return `${error?.message ?? error}${cause ? ` (${cause})` : ""}`;
}

/** @param {string} text @returns {any} undefined for what is no JSON */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * @param {Response} response
 * @param {any} document
 */
function problem(response, document) {
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return new ScoreboardError(response.status, String(document?.code ?? "unknown"), {
    detail: typeof document?.detail === "string" ? document.detail : undefined,
    requestId: response.headers.get("X-Request-Id") ?? undefined,
    retryAfterSeconds: Number.isFinite(seconds) ? Math.max(1, seconds) : undefined,
  });
}

/**
 * The claims of a JWT, unverified: the server verifies, a client only wants to know who it is.
 * @param {string} token
 * @returns {any}
 */
function claims(token) {
  const base64 = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))));
}

/**
 * A user's id as the server writes it, so that it can be compared with those of a board: some providers print UUIDs in capitals.
 * @param {string} userId
 */
function canonical(userId) {
  return UUID.test(userId) ? userId.toLowerCase() : userId;
}

/**
 * @param {any} message
 * @param {View} [view]
 * @returns {Board | null} null for what is not the board that is watched
 */
function read(message, view) {
  const isBoard = message?.type === "leaderboard" && Array.isArray(message.data) && Number.isFinite(message.version);
  return isBoard && message.board === view?.board && (!view?.period || message.period === view.period) ? message : null;
}

/**
 * Whether what was asked for is newer than what is shown, and another board.
 * @param {Board | null} shown
 * @param {Asked} asked
 */
function hasMoved(shown, asked) {
  if (!shown) return asked.data.length > 0;
  if (asked.cache_time <= shown.cache_time) return false;
  if (asked.season !== shown.season || asked.data.length !== shown.data.length) return true;
  return asked.data.some((line, index) => {
    const { userId, score, second } = shown.data[index];
    return line.userId !== userId || line.score !== score || line.second !== second;
  });
}

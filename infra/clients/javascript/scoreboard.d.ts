/**
 * A client of the scoreboard for browsers and Node 18 or newer: this one file, without dependencies.
 *
 *   const scoreboard = new Scoreboard("https://scores.example");
 *   await scoreboard.logIn("ada", "correct horse battery");
 *   const receipt = await scoreboard.addPoints(5);
 *   const live = scoreboard.watch({ onBoard: (board) => console.log(board.data) });
 */
export type Line = {
    userId: string;
    username: string;
    displayName?: string;
    rank: number;
    score: number;
    second?: number;
    metadata?: object | null;
};
export type Receipt = {
    userId: string;
    score: number;
    rank: number;
    increment: number;
    requestId: string;
};
export type PeriodPlace = {
    period: string;
    season: number;
    score: number;
    second?: number;
    rank: number;
    improved: boolean;
};
export type EntryReceipt = {
    userId: string;
    board: string;
    score: number;
    second?: number;
    rank: number;
    improved: boolean;
    periods: PeriodPlace[];
    requestId: string;
};
export type BoardPage = {
    data: (Line & {
        second?: number;
    })[];
    nextCursor: string | null;
    total: number;
    asOf: string;
    version: string;
    period: string;
    season: number;
};
export type HistoryEntry = {
    requestId: string;
    increment: number;
    newScore: number;
    createdAt: string;
};
export type User = {
    userId: string;
    username: string;
    role: string;
};
export type SavedSession = {
    user: User;
    refreshToken: string;
};
export type Board = {
    type: "leaderboard";
    version: number;
    data: Line[];
    cache_time: string;
    board?: string;
    period?: string;
    season?: number;
};
export type Asked = {
    data: Line[];
    cache_time: string;
    season?: number;
};
export type OwnAccount = {
    userId: string;
    username: string;
    displayName: string;
    role: string;
};
export type View = {
    board: string;
    period: string;
    top?: number;
};
export type WsTicket = {
    ticket: string;
    pingInterval?: number;
    reconnectIn?: number;
    url?: string;
    broadcast?: false;
};
export type State = {
    name: "off" | "connecting" | "live" | "reconnecting";
    retryAt?: number;
    error?: ScoreboardError;
};
export type Options = {
    /**
     * where tokens of an outside identity provider come from; asked again when one is refused
     */
    getAccessToken?: () => Promise<string>;
    /**
     * the claim of those tokens with the user's id here, as the server's JWT_USER_ID_CLAIM; `sub`
     */
    userIdClaim?: string;
    /**
     * to log in again when a session has ended
     */
    getCredentials?: () => Promise<{
        username: string;
        password: string;
    }>;
    /**
     * told of every new refresh token, to save it; null when there is none any more
     */
    onSession?: (session: SavedSession | null) => void;
    /**
     * the session has ended without the user asking for it
     */
    onSessionEnd?: (error: ScoreboardError) => void;
    fetch?: typeof fetch;
    /**
     * the class, where the platform has none, as Node before 22; that of the package `ws` does
     */
    WebSocket?: any;
    /**
     * from 0 to 1
     */
    random?: () => number;
};
export type Patience = {
    /**
     * how long to try; 60 s
     */
    giveUpAfterMs?: number;
    /**
     * whether 429 is waited for, which is how it is unless you say false
     */
    waitWhenLimited?: boolean;
    /**
     * told before every wait
     */
    onRetry?: (error: ScoreboardError, waitMs: number) => void;
    /**
     * ends trying
     */
    signal?: AbortSignal;
};
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
export declare class ScoreboardError extends Error {
    status: number;
    code: string;
    detail: string;
    requestId: string;
    retryAfterSeconds: number | undefined;
    /** @type {string | undefined} With a change: it may have been carried out. Sent again under this key, within a day, it is carried out once. */
    idempotencyKey: string | undefined;
    /**
     * @param {number} status
     * @param {string} code stable, snake_case, from the problem document
     * @param {{ detail?: string, requestId?: string, retryAfterSeconds?: number }} [more]
     */
    constructor(status: number, code: string, more?: {
        detail?: string;
        requestId?: string;
        retryAfterSeconds?: number;
    });
    /** Whether the same request may succeed later; it may also have been carried out already. */
    get isTemporary(): boolean;
}
/** One account on one scoreboard. */
export declare class Scoreboard {
    #private;
    /** @type {User | null} */
    user: User | null;
    /**
     * @param {string} [baseUrl] the page's own host, where there is a page
     * @param {Options} [options]
     * @throws {TypeError} for what is no URL of a server
     */
    constructor(baseUrl?: string, options?: Options);
    get options(): Options;
    /**
     * Create a player; the API key in the answer is shown this once. Sent again under the same key until the server answers.
     * @param {string} username
     * @param {string} password
     * @param {Patience} [patience]
     * @returns {Promise<{ userId: string, username: string, role: string, apiKey: string }>}
     */
    register(username: string, password: string, patience?: Patience): Promise<{
        userId: string;
        username: string;
        role: string;
        apiKey: string;
    }>;
    /**
     * @param {string} username
     * @param {string} password
     * @param {Patience} [patience]
     */
    logIn(username: string, password: string, patience?: Patience): Promise<void>;
    /**
     * Take up a saved session; needs no network, the first request renews the access token.
     * @param {SavedSession} saved
     */
    resume({ user, refreshToken }: SavedSession): void;
    /** Forget the session here, and have the server end it, too; whoever leaves need not wait for that. */
    logOut(): Promise<void>;
    /** The access token is not good any more: renew it before the next request. */
    expire(): void;
    /**
     * The user's account: the username, and the display name that boards show.
     * @param {Patience} [patience]
     * @returns {Promise<OwnAccount>}
     */
    me(patience?: Patience): Promise<OwnAccount>;
    /**
     * Choose the display name; null is the username. Sent again under the same key until the server answers.
     * @param {string | null} displayName 1 to 50 characters of any script
     * @param {Patience} [patience]
     * @returns {Promise<OwnAccount>}
     */
    rename(displayName: string | null, patience?: Patience): Promise<OwnAccount>;
    /**
     * Raise the user's score by 1 to 5. Sent again, with the same key and ticket, until the server answers: it counts once.
     * @param {number} increment
     * @param {Patience & { idempotencyKey?: string }} [how] a key of your own outlives this program, for a day
     * @returns {Promise<Receipt>}
     * @throws {ScoreboardError} when it was refused, or not confirmed in time; then with its `idempotencyKey`
     */
    addPoints(increment: number, how?: Patience & {
        idempotencyKey?: string;
    }): Promise<Receipt>;
    /**
     * Add an entry of the user's to a board beside `main`; like `addPoints` it counts once.
     * @param {string} board
     * @param {number} value
     * @param {Patience & { second?: number, metadata?: object, idempotencyKey?: string }} [how]
     * @returns {Promise<EntryReceipt>}
     * @throws {ScoreboardError}
     */
    addEntry(board: string, value: number, { second, metadata, ...how }?: Patience & {
        second?: number;
        metadata?: object;
        idempotencyKey?: string;
    }): Promise<EntryReceipt>;
    /**
     * Rows of a board: from the top, from a `rank`, with a player in the middle (`around`), or after the `cursor` of the page before.
     * Its first period and the open season where no other is said; without a session where the board is public.
     * @param {string} board
     * @param {Patience & { period?: string, season?: number, limit?: number, cursor?: string, around?: string, rank?: number, metadata?: boolean }} [what] `metadata`: rows have that of the entry that made the score
     * @returns {Promise<BoardPage>}
     */
    boardPage(board: string, { period, season, limit, cursor, around, rank, metadata, ...patience }?: Patience & {
        period?: string;
        season?: number;
        limit?: number;
        cursor?: string;
        around?: string;
        rank?: number;
        metadata?: boolean;
    }): Promise<BoardPage>;
    /**
     * The best players; without a session where the board is public.
     * @param {number} [limit] 1 to 100
     * @param {Patience} [patience]
     * @returns {Promise<{ data: Line[], cache_time: string }>}
     */
    top(limit?: number, patience?: Patience): Promise<{
        data: Line[];
        cache_time: string;
    }>;
    /**
     * A player's score and rank, with those around.
     * @param {string} [userId] the user's own where not said
     * @param {number} [neighbours] on each side
     * @param {Patience} [patience]
     * @returns {Promise<Line & { neighbours: Line[] }>}
     */
    standing(userId?: string, neighbours?: number, patience?: Patience): Promise<Line & {
        neighbours: Line[];
    }>;
    /**
     * The user's updates, newest first, as many pages as are asked for: `for await (const entry of scoreboard.history())`.
     * @param {{ userId?: string, pageSize?: number } & Patience} [options]
     * @returns {AsyncGenerator<HistoryEntry>}
     */
    history({ userId, pageSize, ...patience }?: {
        userId?: string;
        pageSize?: number;
    } & Patience): AsyncGenerator<HistoryEntry>;
    /**
     * Watch the board live, until `stop()`; without a session where the board is public.
     * @param {Callbacks} callbacks
     * @returns {LiveBoard}
     * @throws {ScoreboardError} `not_supported` where there is no WebSocket
     */
    watch(callbacks: Callbacks): LiveBoard;
    /**
     * Where a WebSocket of this scoreboard connects to, with a ticket.
     * @param {WsTicket} ticket
     */
    socketUrl({ url, ticket }: WsTicket): URL;
    /**
     * Make a request in the user's name, renewing the access token where needed. What changes something gets an Idempotency-Key
     * unless `headers` has one.
     * @param {string} method
     * @param {string} path
     * @param {{ body?: unknown, headers?: Record<string, string>, signal?: AbortSignal, timeLimitMs?: number }} [options]
     * @returns {Promise<any>}
     * @throws {ScoreboardError}
     */
    call(method: string, path: string, options?: {
        body?: unknown;
        headers?: Record<string, string>;
        signal?: AbortSignal;
        timeLimitMs?: number;
    }): Promise<any>;
    /**
     * Ask in the user's name; without a session in nobody's, which is answered where the board is public.
     * @param {string} method
     * @param {string} path
     * @returns {Promise<any>}
     */
    look(method: string, path: string): Promise<any>;
    /**
     * Send one request, once, and give back the whole JSON document of a successful answer.
     * @param {string} method
     * @param {string} path
     * @param {{ body?: unknown, token?: string, headers?: Record<string, string>, signal?: AbortSignal, timeLimitMs?: number }} [options]
     * @returns {Promise<any>}
     * @throws {ScoreboardError}
     */
    request(method: string, path: string, { body, token, headers, signal, timeLimitMs }?: {
        body?: unknown;
        token?: string;
        headers?: Record<string, string>;
        signal?: AbortSignal;
        timeLimitMs?: number;
    }): Promise<any>;
    /**
     * Call `send` until it succeeds or fails for good, waiting as the server says, or ever longer, and never all clients at once.
     * @template T
     * @param {() => Promise<T>} send
     * @param {Patience} [patience]
     * @returns {Promise<T>}
     */
    patiently<T>(send: () => Promise<T>, { giveUpAfterMs, waitWhenLimited, onRetry, signal }?: Patience): Promise<T>;
    /**
     * A wait before attempt number `attempt` (from 0): anything up to a doubling, capped limit, so that a server which comes
     * back is not met by everybody at once.
     * @param {number} attempt
     * @param {{ firstMs?: number, capMs?: number }} [limits]
     */
    jitterMs(attempt: number, { firstMs, capMs }?: {
        firstMs?: number;
        capMs?: number;
    }): number;
}
export type Callbacks = {
    /**
     * the newest board, versions only rise; while a promise it returned is pending, boards in between are skipped
     */
    onBoard: (board: Board) => unknown;
    onState?: (state: State) => void;
    /**
     * the server refuses this user for good, or the first connection did not come about; watching has stopped. Without it, it is written to the console
     */
    onEnd?: (error: ScoreboardError) => void;
    /**
     * how long to try for the first connection; 60 s. One that was lost later is tried for again without end
     */
    giveUpAfterMs?: number;
    /**
     * after so long without a board it is held against what the API answers; 30 s
     */
    idleCheckMs?: number;
    /**
     * watch this, and not `main`; not where viewers connect to AppSync
     */
    view?: View;
};
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
export declare class LiveBoard {
    #private;
    /**
     * @param {Scoreboard} scoreboard
     * @param {Callbacks} callbacks
     */
    constructor(scoreboard: Scoreboard, callbacks: Callbacks);
    /** @throws {ScoreboardError} `not_supported` where there is no WebSocket */
    start(): void;
    stop(): void;
    /** Try at once instead of waiting for the next attempt; does nothing while one is under way. */
    retryNow(): void;
}
/** A key by which the server knows a request again. */
export declare function newKey(): string;
/**
 * Resolve after a while; reject with the signal's reason when it aborts before.
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export declare function pause(milliseconds: number, signal?: AbortSignal): Promise<void>;

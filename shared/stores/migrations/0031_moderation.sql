-- Moderation: what admins and game servers decide about players and their entries, on one board or on all.
-- moderation_entries: one row for each decision and player. Never edited: what was wrong is undone by another row.
--   request_id    of the request, or made of it and the player where one request decides about many; the same one counts once
--   board_id      NULL for every board. No foreign key: `main` has no row in boards
--   undoes        the row that an `undo` takes back
--   struck        the request id of the entry that a `strike` takes out
--   value, second what an `adjust` adds, in the seasons of `places`: period:season, separated by |
--   moderator     the id of an admin, or `server:` and the id of a server key
-- hidden_players: who is hidden by such a decision that holds; '' for every board. Written in the transaction that adds the row.

CREATE TABLE moderation_entries (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id VARCHAR(36) NOT NULL UNIQUE,
    board_id VARCHAR(40),
    user_id VARCHAR(36) NOT NULL REFERENCES users (user_id),
    action TEXT NOT NULL CHECK (action IN ('hide', 'show', 'strike', 'adjust', 'undo')),
    undoes BIGINT UNIQUE REFERENCES moderation_entries (id),
    struck VARCHAR(36),
    value BIGINT CHECK (abs(value) < 9007199254740992),
    second BIGINT CHECK (abs(second) < 9007199254740992),
    places TEXT,
    reason VARCHAR(500) NOT NULL,
    moderator VARCHAR(80) NOT NULL,
    moderated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CHECK ((action = 'undo') = (undoes IS NOT NULL))
);
CREATE INDEX moderation_entries_board_idx ON moderation_entries (board_id, id);
CREATE INDEX moderation_entries_user_idx ON moderation_entries (user_id, id);

CREATE TABLE hidden_players (
    board_id VARCHAR(40) NOT NULL,
    user_id VARCHAR(36) NOT NULL REFERENCES users (user_id),
    PRIMARY KEY (user_id, board_id)
);

-- hidden_on(board_id): who is on the board and stands on it for nobody to see: disabled accounts, and players whom a moderator has hidden
-- there or on every board. Some come twice. A function, not a view: the planner puts its text into each statement.

CREATE FUNCTION hidden_on(board_id text) RETURNS TABLE (user_id varchar) LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT users.user_id FROM users WHERE users.disabled
    UNION ALL
    SELECT hidden.user_id FROM hidden_players AS hidden WHERE hidden.board_id = hidden_on.board_id
    UNION ALL
    SELECT hidden.user_id FROM hidden_players AS hidden WHERE hidden.board_id = ''
$$;

-- What a server key is good for beside its boards: an array of `write`, `read` and `moderate`; NULL for the first two.
ALTER TABLE server_keys ADD COLUMN scopes JSONB;

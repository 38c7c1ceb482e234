-- Boards beside the specification's `main`, whose updates stay in score_history and score_totals.
-- boards: definitions. A deleted board keeps its row, and its entries.
--   definition  as the API shows it, every member present
-- board_seasons: the runs of a board's periods.
--   ends_at    NULL while nobody knows
--   closed_at  when the final ranks of `version` were written; NULL while they are not, or while an entry came later
-- score_entries: the accepted entries of all boards but `main`.
--   places     what the entry came to in each period: period:season:score:second:rank:improved, separated by |
--   epoch, sequence  the entry's number, from the same count as those in score_history
-- season_totals: what the entries of a player come to in a season, by the board's operator.
--   epoch, sequence, request_id  of the entry that made the present score
--   newest_epoch, newest_sequence  of the newest entry
-- final_ranks: closed seasons. A version is never changed; an entry that came late makes another.
--   position   1, 2, 3, …; rank is the same for equal scores where ties are shared. No foreign keys: it is made of season_totals, and checking
--              each of a million rows at once would hold up everybody.

CREATE TABLE boards (
    board_id VARCHAR(40) PRIMARY KEY,
    definition JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    changed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    deleted_at TIMESTAMPTZ
);

CREATE TABLE board_seasons (
    board_id VARCHAR(40) NOT NULL REFERENCES boards (board_id),
    period VARCHAR(40) NOT NULL,
    season INT NOT NULL CHECK (season > 0),
    starts_at TIMESTAMPTZ NOT NULL,
    ends_at TIMESTAMPTZ,
    closed_at TIMESTAMPTZ,
    version INT NOT NULL DEFAULT 0,
    PRIMARY KEY (board_id, period, season)
);
CREATE INDEX board_seasons_unclosed_idx ON board_seasons (ends_at) WHERE closed_at IS NULL;

CREATE TABLE score_entries (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id VARCHAR(36) NOT NULL UNIQUE,
    board_id VARCHAR(40) NOT NULL REFERENCES boards (board_id),
    user_id VARCHAR(36) NOT NULL REFERENCES users (user_id),
    value BIGINT NOT NULL CHECK (abs(value) < 9007199254740992),
    second BIGINT NOT NULL CHECK (abs(second) < 9007199254740992),
    metadata JSONB,
    places TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    accepted_at TIMESTAMPTZ NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (epoch, sequence)
);
CREATE INDEX score_entries_board_user_idx ON score_entries (board_id, user_id, id);

CREATE TABLE season_totals (
    board_id VARCHAR(40) NOT NULL REFERENCES boards (board_id),
    period VARCHAR(40) NOT NULL,
    season INT NOT NULL,
    user_id VARCHAR(36) NOT NULL REFERENCES users (user_id),
    score BIGINT NOT NULL,
    second BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    request_id VARCHAR(36) NOT NULL,
    newest_epoch BIGINT NOT NULL,
    newest_sequence BIGINT NOT NULL,
    PRIMARY KEY (board_id, period, season, user_id)
);

CREATE TABLE final_ranks (
    board_id VARCHAR(40) NOT NULL,
    period VARCHAR(40) NOT NULL,
    season INT NOT NULL,
    version INT NOT NULL,
    position BIGINT NOT NULL,
    rank BIGINT NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    score BIGINT NOT NULL,
    second BIGINT NOT NULL,
    PRIMARY KEY (board_id, period, season, version, position)
);
CREATE INDEX final_ranks_user_idx ON final_ranks (board_id, period, season, user_id, version);

-- Values of other boards are larger than increments. asked, places: NULL on `main`; what must be the same when the key comes again, and
-- what it was answered.
ALTER TABLE accepted_keys ALTER COLUMN increment TYPE BIGINT, ADD COLUMN asked TEXT, ADD COLUMN places TEXT;
ALTER TABLE repeated_updates ALTER COLUMN increment TYPE BIGINT;

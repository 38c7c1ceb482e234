-- score_entries, season_totals, audit_log: a batch of accepted entries of boards other than `main`; request ids that are there already are
-- ignored, and those that an operator discarded (unrecorded_updates). A season that was closed is to be closed once more.
-- :request_ids :board_ids :user_ids :metadata (JSON, or '') :places :source_ips :writers text[]  :values :seconds :accepted_ats (ms) bigint[]
-- :epochs :sequences bigint[]
-- Answers how many rows were new, the request ids of unknown users and of unknown boards, which are not written to the ledger, those that it
-- has already, and whose standings must be counted anew (count_standings): board id, user id, operator, sign, period and season of each.

WITH batch AS (
    SELECT DISTINCT ON (request_id) *
    FROM unnest(
        CAST(:request_ids AS text[]), CAST(:board_ids AS text[]), CAST(:user_ids AS text[]), CAST(:values AS bigint[]),
        CAST(:seconds AS bigint[]), CAST(:metadata AS text[]), CAST(:places AS text[]), CAST(:accepted_ats AS bigint[]),
        CAST(:source_ips AS text[]), CAST(:writers AS text[]), CAST(:epochs AS bigint[]), CAST(:sequences AS bigint[])
    ) AS t (request_id, board_id, user_id, value, second, metadata, places, accepted_at, source_ip, writer, epoch, sequence)
    WHERE NOT EXISTS (
        SELECT FROM unrecorded_updates AS discarded
        WHERE state = 'discarded' AND discarded.epoch = t.epoch AND discarded.sequence = t.sequence
    )
),
known AS (
    SELECT batch.*, definition ->> 'operator' AS operator, CASE definition ->> 'order' WHEN 'descending' THEN 1 ELSE -1 END AS sign
    FROM batch JOIN users USING (user_id) JOIN boards USING (board_id)
),
recorded AS (
    INSERT INTO score_entries (request_id, board_id, user_id, value, second, metadata, places, epoch, sequence, accepted_at)
    SELECT
        request_id, board_id, user_id, value, second, CAST(nullif(metadata, '') AS jsonb), places, epoch, sequence,
        to_timestamp(accepted_at / 1000.0)
    FROM known
    ORDER BY epoch, sequence
    ON CONFLICT (request_id) DO NOTHING
    RETURNING request_id
),
-- One row for each entry and period.
counted AS (
    SELECT known.*, split_part(place, ':', 1) AS period, CAST(split_part(place, ':', 2) AS int) AS season
    FROM known JOIN recorded USING (request_id) CROSS JOIN unnest(string_to_array(known.places, '|')) AS place
),
-- The row of a season that has ended is written in any case: whoever is just closing it sees that something came (close_season). In order,
-- so that nobody deadlocks.
ended AS (
    SELECT board_id, period, season
    FROM (SELECT DISTINCT board_id, period, season FROM counted) AS entered JOIN board_seasons USING (board_id, period, season)
    WHERE closed_at IS NOT NULL OR ends_at <= now()
    ORDER BY board_id, period, season
    FOR NO KEY UPDATE OF board_seasons
),
held AS (
    SELECT
        board_id, period, season, user_id, score AS held_score, second AS held_second,
        newest_epoch AS held_epoch, newest_sequence AS held_sequence
    FROM season_totals
    WHERE (board_id, period, season, user_id) IN (SELECT board_id, period, season, user_id FROM counted WHERE operator <> 'best')
        AND (SELECT count(*) FROM ended) >= 0 -- which are locked first
    ORDER BY board_id, period, season, user_id
    FOR UPDATE
),
-- Whether an entry leaves the score as it is, which costs nobody their place. What comes late is counted anew.
judged AS (
    SELECT
        counted.*,
        CASE operator
            WHEN 'add' THEN (value, second) <> (0, 0) OR (held_score IS NULL AND row_number() OVER entries = 1)
            WHEN 'latest' THEN (value, second)
                IS DISTINCT FROM (coalesce(lag(value) OVER entries, held_score), coalesce(lag(second) OVER entries, held_second))
        END AS changes,
        (epoch, sequence) < (held_epoch, held_sequence) AS is_late
    FROM counted LEFT JOIN held USING (board_id, period, season, user_id)
    WINDOW entries AS (PARTITION BY board_id, period, season, user_id ORDER BY epoch, sequence)
),
-- The first of each player and season is the entry that makes the score: of `best` the best, and of equal ones the earliest; otherwise the
-- newest that changes it.
ordered AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY board_id, period, season, user_id
            ORDER BY
                CASE operator WHEN 'best' THEN sign * value END DESC,
                CASE operator WHEN 'best' THEN sign * second END DESC,
                changes DESC,
                CASE operator WHEN 'best' THEN -epoch ELSE epoch END DESC,
                CASE operator WHEN 'best' THEN -sequence ELSE sequence END DESC
        ) AS place,
        sum(value) OVER players AS value_sum,
        sum(second) OVER players AS second_sum,
        first_value(value) OVER newest AS newest_value,
        first_value(second) OVER newest AS newest_second,
        first_value(epoch) OVER newest AS newest_epoch,
        first_value(sequence) OVER newest AS newest_sequence
    FROM judged
    WINDOW
        players AS (PARTITION BY board_id, period, season, user_id),
        newest AS (PARTITION BY board_id, period, season, user_id ORDER BY epoch DESC, sequence DESC)
),
totals AS (
    INSERT INTO season_totals (
        board_id, period, season, user_id, score, second, epoch, sequence, request_id, newest_epoch, newest_sequence
    )
    SELECT
        board_id, period, season, user_id,
        CASE operator WHEN 'add' THEN value_sum WHEN 'latest' THEN newest_value ELSE value END,
        CASE operator WHEN 'add' THEN second_sum WHEN 'latest' THEN newest_second ELSE second END,
        CASE WHEN changes IS FALSE THEN 0 ELSE epoch END, sequence, request_id, newest_epoch, newest_sequence
    FROM ordered
    WHERE place = 1
    ORDER BY board_id, period, season, user_id
    ON CONFLICT (board_id, period, season, user_id) DO UPDATE
    SET (score, second, epoch, sequence, request_id, newest_epoch, newest_sequence) = (
        SELECT
            CASE WHEN rule.adds THEN season_totals.score + excluded.score
                WHEN rule.counts THEN excluded.score ELSE season_totals.score END,
            CASE WHEN rule.adds THEN season_totals.second + excluded.second
                WHEN rule.counts THEN excluded.second ELSE season_totals.second END,
            CASE WHEN rule.makes THEN excluded.epoch ELSE season_totals.epoch END,
            CASE WHEN rule.makes THEN excluded.sequence ELSE season_totals.sequence END,
            CASE WHEN rule.makes THEN excluded.request_id ELSE season_totals.request_id END,
            CASE WHEN rule.is_newer THEN excluded.newest_epoch ELSE season_totals.newest_epoch END,
            CASE WHEN rule.is_newer THEN excluded.newest_sequence ELSE season_totals.newest_sequence END
        FROM (
            SELECT operator = 'add' AS adds, makes, is_newer, CASE operator WHEN 'best' THEN makes ELSE is_newer END AS counts
            FROM (
                SELECT
                    operator,
                    (excluded.newest_epoch, excluded.newest_sequence) > (season_totals.newest_epoch, season_totals.newest_sequence)
                        AS is_newer,
                    CASE operator
                        WHEN 'best' THEN (sign * excluded.score, sign * excluded.second, -excluded.epoch, -excluded.sequence)
                            > (sign * season_totals.score, sign * season_totals.second, -season_totals.epoch, -season_totals.sequence)
                        ELSE (excluded.epoch, excluded.sequence) > (season_totals.epoch, season_totals.sequence)
                    END AS makes
                FROM (
                    SELECT definition ->> 'operator' AS operator, CASE definition ->> 'order' WHEN 'descending' THEN 1 ELSE -1 END AS sign
                    FROM boards
                    WHERE boards.board_id = season_totals.board_id
                ) AS board
            ) AS compared
        ) AS rule
    )
),
reopened AS (
    UPDATE board_seasons
    SET closed_at = NULL
    FROM ended
    WHERE board_seasons.board_id = ended.board_id AND board_seasons.period = ended.period AND board_seasons.season = ended.season
),
audited AS (
    INSERT INTO audit_log (action, actor, user_id, request_id, source_ip, detail)
    SELECT 'score_accepted', coalesce(nullif(writer, ''), user_id), user_id, request_id, source_ip,
        jsonb_build_object(
            'board', board_id, 'value', value, 'second', second, 'places', places, 'epoch', epoch, 'sequence', sequence
        )
    FROM known JOIN recorded USING (request_id)
    ORDER BY epoch, sequence
)
SELECT
    (SELECT count(*) FROM recorded),
    coalesce((SELECT array_agg(request_id) FROM batch WHERE NOT EXISTS (SELECT FROM users WHERE users.user_id = batch.user_id)), '{}'),
    coalesce((SELECT array_agg(request_id) FROM batch WHERE NOT EXISTS (SELECT FROM boards WHERE boards.board_id = batch.board_id)), '{}'),
    coalesce((SELECT array_agg(request_id) FROM known WHERE request_id NOT IN (SELECT request_id FROM recorded)), '{}'),
    coalesce(
        (
            SELECT jsonb_agg(DISTINCT jsonb_build_array(board_id, user_id, operator, sign, period, season))
            FROM judged
            WHERE is_late
        ),
        '[]'
    )

-- board_seasons, season_totals, moderation_entries: of each period of a board the newest season of which there is a row, and all later ones
-- of which there are entries, struck ones among them: Redis was lost before they were written down. :board_id text
-- Answers period, number, start and end (ms), the end null where nobody knows, in the order of numbers. Where nothing says when a season
-- began that is an instant in it, if it follows a schedule; otherwise the end of the newest one with a row, or the making of the board.

WITH RECURSIVE periods AS (
    (
        SELECT period FROM season_totals WHERE board_id = :board_id ORDER BY period LIMIT 1
    )
    UNION ALL
    SELECT (SELECT period FROM season_totals WHERE board_id = :board_id AND period > periods.period ORDER BY period LIMIT 1)
    FROM periods
    WHERE period IS NOT NULL
),
written AS (
    SELECT DISTINCT ON (period) period, season, starts_at, ends_at
    FROM board_seasons
    WHERE board_id = :board_id
    ORDER BY period, season DESC
),
unwritten AS (
    SELECT periods.period, coalesce(written.season, 0) AS season
    FROM periods LEFT JOIN written USING (period)
    WHERE periods.period IS NOT NULL
    UNION ALL
    SELECT
        period,
        (
            SELECT season FROM season_totals
            WHERE board_id = :board_id AND period = unwritten.period AND season > unwritten.season
            ORDER BY season LIMIT 1
        )
    FROM unwritten
    WHERE season IS NOT NULL
),
scheduled AS (
    SELECT period ->> 'name' AS period
    FROM boards CROSS JOIN jsonb_array_elements(definition -> 'periods') AS period
    WHERE board_id = :board_id AND period ->> 'cron' <> ''
),
struck AS (
    SELECT DISTINCT ON (period, season) period, season, accepted_at
    FROM moderation_entries AS decision JOIN score_entries AS entry ON entry.request_id = decision.struck
    CROSS JOIN unnest(string_to_array(entry.places, '|')) AS place
    CROSS JOIN LATERAL (SELECT split_part(place, ':', 1) AS period, CAST(split_part(place, ':', 2) AS int) AS season) AS of_place
    WHERE decision.board_id = :board_id
),
newest AS (
    SELECT * FROM written
    UNION ALL
    SELECT
        period, unwritten.season,
        coalesce(
            (
                SELECT accepted_at
                FROM season_totals AS total JOIN score_entries USING (request_id)
                WHERE
                    total.board_id = :board_id AND total.period = unwritten.period AND total.season = unwritten.season
                    AND unwritten.period IN (SELECT period FROM scheduled)
                LIMIT 1
            ),
            written.ends_at,
            (SELECT created_at FROM boards WHERE board_id = :board_id)
        ),
        NULL
    FROM unwritten LEFT JOIN written USING (period)
    WHERE unwritten.season > coalesce(written.season, 0)
    UNION ALL
    SELECT
        period, struck.season,
        coalesce(
            CASE WHEN period IN (SELECT period FROM scheduled) THEN struck.accepted_at END,
            written.ends_at,
            (SELECT created_at FROM boards WHERE board_id = :board_id)
        ),
        NULL
    FROM struck LEFT JOIN written USING (period)
    WHERE
        struck.season > coalesce(written.season, 0)
        AND NOT EXISTS (SELECT FROM unwritten WHERE unwritten.period = struck.period AND unwritten.season = struck.season)
)
SELECT
    period, season, CAST(round(extract(epoch FROM starts_at) * 1000) AS bigint), CAST(round(extract(epoch FROM ends_at) * 1000) AS bigint)
FROM newest
ORDER BY period, season

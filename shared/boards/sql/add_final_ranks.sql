-- final_ranks, season_totals, hidden_players, users: everybody in a season in order, without who is hidden on the board. Who was adjusted
-- may have the number of somebody else's entry: then ids decide, as in Redis.
-- :board_id :period text, :season :version int, :sign int (1 where more is better, -1 where less is), :is_shared boolean
-- Answers nothing.

INSERT INTO final_ranks (board_id, period, season, version, position, rank, user_id, score, second)
SELECT
    board_id, period, season, CAST(:version AS int), row_number() OVER standing,
    CASE WHEN CAST(:is_shared AS boolean) THEN rank() OVER equals ELSE row_number() OVER standing END,
    user_id, score, second
FROM (
    SELECT *, score * CAST(:sign AS int) AS worth, second * CAST(:sign AS int) AS second_worth
    FROM season_totals
    WHERE board_id = :board_id AND period = :period AND season = CAST(:season AS int)
) AS total
WHERE NOT EXISTS (SELECT FROM hidden_on(CAST(:board_id AS text)) AS hidden WHERE hidden.user_id = total.user_id)
WINDOW
    standing AS (
        ORDER BY
            worth DESC, second_worth DESC, epoch, sequence,
            CASE CAST(:sign AS int) WHEN 1 THEN user_id END COLLATE "C" DESC, user_id COLLATE "C"
    ),
    equals AS (ORDER BY worth DESC)

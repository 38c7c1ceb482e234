-- season_totals, hidden_players, users: what a season's players have, a page in the order of user ids. :board_id :period :after text, :season :page int
-- Answers user id, score, second, epoch and sequence of the entry that made the score, and whether they are hidden on the board.

SELECT
    user_id, score, second, epoch, sequence,
    EXISTS (SELECT FROM hidden_on(CAST(:board_id AS text)) AS hidden WHERE hidden.user_id = total.user_id)
FROM (
    SELECT * FROM season_totals
    WHERE board_id = :board_id AND period = :period AND season = CAST(:season AS int) AND user_id > :after
    ORDER BY user_id
    LIMIT CAST(:page AS int)
) AS total
ORDER BY user_id

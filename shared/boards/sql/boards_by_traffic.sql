-- boards, score_entries: ids of all boards of a shard, those with most entries of late first. :shard text, :looked_at int, :minutes int
-- Of late: of the newest `looked_at` entries those that were accepted within so many minutes.

SELECT board_id
FROM boards LEFT JOIN (
    SELECT board_id, count(*) AS entries
    FROM (SELECT board_id, accepted_at FROM score_entries ORDER BY id DESC LIMIT CAST(:looked_at AS int)) AS newest
    WHERE accepted_at > now() - CAST(:minutes AS int) * INTERVAL '1 minute'
    GROUP BY board_id
) AS traffic USING (board_id)
WHERE deleted_at IS NULL AND shard = :shard AND moving_to IS NULL
ORDER BY coalesce(entries, 0) DESC, board_id

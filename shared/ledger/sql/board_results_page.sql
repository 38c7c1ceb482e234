-- accepted_keys, score_entries, boards, unrecorded_updates: first results of the last day that were given on a board, or on those of a shard,
-- and those of all entries that are not recorded, a page in the order of their keys. :board_id text, '' for all of :shard text; :after text
-- :page int

SELECT key_id, request_id, user_id, increment, new_score, rank, accepted_at, coalesce(asked, ''), coalesce(places, '')
FROM accepted_keys
WHERE key_id > :after AND accepted_at > now() - INTERVAL '24 hours' AND places IS NOT NULL AND (
    EXISTS (
        SELECT FROM score_entries JOIN boards USING (board_id)
        WHERE score_entries.request_id = accepted_keys.request_id
            AND (boards.board_id = CAST(:board_id AS text) OR (CAST(:board_id AS text) = '' AND boards.shard = :shard))
    )
    OR EXISTS (SELECT FROM unrecorded_updates WHERE unrecorded_updates.request_id = accepted_keys.request_id)
)
ORDER BY key_id
LIMIT CAST(:page AS int)

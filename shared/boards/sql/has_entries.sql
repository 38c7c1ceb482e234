-- score_entries, moderation_entries: whether a board has any entry or adjustment. :board_id text

SELECT EXISTS (SELECT FROM score_entries WHERE board_id = :board_id)
    OR EXISTS (SELECT FROM moderation_entries WHERE board_id = :board_id AND action = 'adjust')

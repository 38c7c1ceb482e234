-- unsettled_moderation: Redis shows these. :ids bigint[]

DELETE FROM unsettled_moderation WHERE moderation_id = ANY(CAST(:ids AS bigint[]))

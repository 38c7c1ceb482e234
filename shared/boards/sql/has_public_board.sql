-- boards: whether anybody may read one that is not deleted.

SELECT EXISTS (SELECT FROM boards WHERE deleted_at IS NULL AND definition @> '{"public": true}')

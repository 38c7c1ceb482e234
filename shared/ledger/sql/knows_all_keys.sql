-- number_epochs, schema_migrations, score_history: whether accepted_keys has every idempotency key of the last day. Versions without it
-- recorded a keyed update under the id of its key. They numbered none, or in an epoch from before 0024 made the table.
-- Every row is looked at where none lacks its number: that is in the first day of a database alone.

SELECT CASE
    WHEN first.opened_at < now() - INTERVAL '24 hours' THEN TRUE
    WHEN first.opened_at > made.applied_at THEN NOT EXISTS (SELECT FROM score_history WHERE epoch IS NULL)
    ELSE FALSE
END
FROM (SELECT min(opened_at) AS opened_at FROM number_epochs) AS first
LEFT JOIN schema_migrations AS made ON made.name = '0024_accepted_keys'

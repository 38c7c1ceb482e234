-- users: these accounts, about which nobody else decides until the end of the transaction; in order, so that nobody deadlocks.
-- :user_ids text (a JSON array). Answers the ids of those that there are.

SELECT user_id
FROM users
WHERE user_id IN (SELECT wanted FROM jsonb_array_elements_text(CAST(:user_ids AS jsonb)) AS names (wanted))
ORDER BY user_id
FOR NO KEY UPDATE

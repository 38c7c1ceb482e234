-- ended_sessions: those of one user that ended of late. :user_id :known (interval) text

SELECT session_id, ended_at, user_id
FROM ended_sessions
WHERE user_id = :user_id AND ended_at > now() - CAST(:known AS interval)

-- ended_sessions: those that ended of late. :known (interval) text

SELECT session_id, ended_at, user_id
FROM ended_sessions
WHERE ended_at > now() - CAST(:known AS interval)

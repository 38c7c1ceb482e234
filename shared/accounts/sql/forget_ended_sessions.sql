-- ended_sessions: those whose access tokens have all expired go. :known (interval) text

DELETE FROM ended_sessions WHERE ended_at <= now() - CAST(:known AS interval) RETURNING session_id

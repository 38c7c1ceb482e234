-- kept_answers: those whose time is over go.

DELETE FROM kept_answers WHERE expires_at <= now() RETURNING key_hash

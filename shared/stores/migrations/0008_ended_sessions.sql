-- ended_sessions: sessions (the families of refresh_tokens) that ended and whose access tokens may still be alive.
-- Redis has the copy that is asked; this is what it is restored from. Forgotten a while after the last access token has expired.

CREATE TABLE ended_sessions (
    session_id VARCHAR(36) PRIMARY KEY,
    user_id VARCHAR(36) NOT NULL,
    ended_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE INDEX ended_sessions_ended_at_idx ON ended_sessions (ended_at);

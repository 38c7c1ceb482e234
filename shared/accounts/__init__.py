"""Players and who they are: accounts, passwords, sessions, tokens, API keys, and the limits of requests."""

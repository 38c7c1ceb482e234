-- simulated: a player whom a simulation plays, and no person. Set by admins and operators, never by the account itself.

ALTER TABLE users ADD COLUMN simulated BOOLEAN NOT NULL DEFAULT FALSE;

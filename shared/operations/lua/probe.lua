-- What an update needs: a write that a full, read-only or lonely Redis refuses.
--
-- KEYS  1 readiness:probe     string: written here. TTL
--       2 leaderboard:whole   string: there when the board holds all that the ledger does
--       3 leaderboard:numbers hash: `open` while updates are numbered
--       4 installation        string: whose this Redis is
-- ARGV  1 seconds to keep the probe
-- Answers {1 when the board is whole, 1 when updates are numbered, whose this Redis is or ''}

redis.call('SET', KEYS[1], '1', 'EX', ARGV[1])
return { redis.call('EXISTS', KEYS[2]), redis.call('HEXISTS', KEYS[3], 'open'), redis.call('GET', KEYS[4]) or '' }

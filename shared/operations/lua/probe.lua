-- What an update needs: a write that a full, read-only or lonely Redis refuses.
--
-- KEYS  1 readiness:probe     string: written here. TTL
--       2 leaderboard:whole   string: there when the board holds all that the ledger does
--       3 leaderboard:numbers hash: `open` while updates are numbered
--       4 installation        string: whose this Redis is
-- ARGV  1 seconds to keep the probe
-- Answers {1 when the board is whole, 1 when updates are numbered, whose this Redis is or ''}

if #KEYS ~= 4 or #ARGV ~= 1 then
  return redis.error_reply('ERR probe takes 4 keys and 1 argument')
end
local probe, whole, numbers, installation = unpack(KEYS)
local ttl = ARGV[1]

redis.call('SET', probe, '1', 'EX', ttl)
return { redis.call('EXISTS', whole), redis.call('HEXISTS', numbers, 'open'), redis.call('GET', installation) or '' }

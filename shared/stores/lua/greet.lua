-- A connection begins: if another Redis serves now than the one that the epoch was opened in, updates that were numbered there may be
-- lost here. Then no update is numbered until the ledger has given out a new epoch, ended sessions are read from PostgreSQL again, and
-- what was counted of requests and failed log-ins is taken for lost.
-- It only removes, which a full Redis allows; a replica refuses it.
--
-- KEYS  1 leaderboard:numbers  hash: epoch, sequence, open, server
--       2 ended-sessions       sorted set: ids of sessions that ended; and '*', which says that all of them are here
--       3 limits:since         hash: since when requests and failed log-ins are counted, and the server in which they are
-- ARGV  1 the server: its run id and its replication id
-- Answers 1 when it is the same one or no epoch is open, otherwise 0.

if #KEYS ~= 3 or #ARGV ~= 1 then
  return redis.error_reply('ERR greet takes 3 keys and 1 argument')
end
local numbers, ended_sessions, limits_since = unpack(KEYS)
local server = ARGV[1]

if redis.call('HGET', limits_since, 'server') ~= server then
  redis.call('DEL', limits_since)
end
if redis.call('HGET', numbers, 'server') == server then
  return 1
end
redis.call('ZREM', ended_sessions, '*')
return 1 - redis.call('HDEL', numbers, 'open')

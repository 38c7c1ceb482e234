-- Number updates in a new epoch, unless one is open or another one was opened since `before` was read.
--
-- KEYS  1 leaderboard:numbers  hash: epoch, sequence, open, server
--       2 leaderboard:whole    string: there when the board holds all that the ledger does; since when (ms) first results are kept here
-- ARGV  1 the epoch before, '' for none  2 the new epoch  3 the server: its run id and its replication id
--       4 length (ms) of the rate window
-- Answers 1, or 0 when nothing was changed.

local known = redis.call('HMGET', KEYS[1], 'open', 'epoch', 'server')
if known[1] or (known[2] or '') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'sequence', 0, 'open', 1, 'server', ARGV[3])
if known[3] and known[3] ~= ARGV[3] then
  -- First results, spent tickets and rate windows of the last moments may be lost: only the ledger knows of them.
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('SET', KEYS[2], string.format('%.0f', now), 'XX')
  redis.call('HSET', KEYS[1], 'windows_lost_until', string.format('%.0f', now + ARGV[4]))
end
return 1

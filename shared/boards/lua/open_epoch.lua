-- Number updates in a new epoch, unless one is open or another one was opened since `before` was read.
--
-- KEYS  1 leaderboard:numbers  hash: epoch, sequence, open, server
--       2 leaderboard:whole    string: there when the board holds all that the ledger does; since when (ms) first results are kept here
-- ARGV  1 the epoch before, '' for none  2 the new epoch  3 the server: its run id and its replication id
--       4 length (ms) of the rate window
-- Answers 1, or 0 when nothing was changed.

if #KEYS ~= 2 or #ARGV ~= 4 then
  return redis.error_reply('ERR open_epoch takes 2 keys and 4 arguments')
end
local numbers, whole = unpack(KEYS)
local epoch_before, epoch, server, window = unpack(ARGV)

local known = redis.call('HMGET', numbers, 'open', 'epoch', 'server')
if known[1] or (known[2] or '') ~= epoch_before then
  return 0
end
redis.call('HSET', numbers, 'epoch', epoch, 'sequence', 0, 'open', 1, 'server', server)
if known[3] and known[3] ~= server then
  -- First results, spent tickets and rate windows of the last moments may be lost: only the ledger knows of them.
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('SET', whole, string.format('%.0f', now), 'XX')
  redis.call('HSET', numbers, 'windows_lost_until', string.format('%.0f', now + window))
end
return 1

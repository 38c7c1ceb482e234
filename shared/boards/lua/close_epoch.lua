-- Have the next update numbered in a new epoch, above all that were given out by now.
--
-- KEYS  1 leaderboard:numbers  hash: epoch, sequence, open, server
-- ARGV  none
-- Answers 1, or 0 when no epoch was open.

if #KEYS ~= 1 or #ARGV ~= 0 then
  return redis.error_reply('ERR close_epoch takes 1 key and no arguments')
end
local numbers = KEYS[1]

return redis.call('HDEL', numbers, 'open')

-- Drop the rate windows and spent tickets of players in whom all is past; who made an update meanwhile is left alone.
--
-- KEYS  1 rate-windows  sorted set: players, and players with a board, from when on (ms) all in their keys is past  2.. the two keys of each
-- ARGV  1 now (ms)  2.. their names there, in the same order
-- Answers of how many players.

if #ARGV < 2 or #KEYS ~= 2 * #ARGV - 1 then
  return redis.error_reply('ERR forget_windows takes two keys and an argument for each player, beside one of either')
end
local rate_windows = KEYS[1]
local now = ARGV[1]

local forgotten = 0
for place = 2, #ARGV do
  local past = redis.call('ZSCORE', rate_windows, ARGV[place])
  if past and tonumber(past) <= tonumber(now) then
    redis.call('UNLINK', KEYS[2 * place - 2], KEYS[2 * place - 1])
    redis.call('ZREM', rate_windows, ARGV[place])
    forgotten = forgotten + 1
  end
end
return forgotten

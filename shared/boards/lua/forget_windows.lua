-- Drop the rate windows and spent tickets of players in whom all is past; who made an update meanwhile is left alone.
--
-- KEYS  1 rate-windows  sorted set: players, from when on (ms) all in their keys is past  2.. the two keys of each player
-- ARGV  1 now (ms)  2.. ids of those players, in the same order
-- Answers of how many players.

local forgotten = 0
for place = 2, #ARGV do
  local past = redis.call('ZSCORE', KEYS[1], ARGV[place])
  if past and tonumber(past) <= tonumber(ARGV[1]) then
    redis.call('UNLINK', KEYS[2 * place - 2], KEYS[2 * place - 1])
    redis.call('ZREM', KEYS[1], ARGV[place])
    forgotten = forgotten + 1
  end
end
return forgotten

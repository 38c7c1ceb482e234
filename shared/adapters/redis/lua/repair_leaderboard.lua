-- Change the board by differences, if it is still the one that was looked at.
--
-- KEYS  1 leaderboard  2 leaderboard:whole
-- ARGV  1 the mark it had  2.. pairs of member and difference, or '' to take the member off
-- Answers 1, or 0 when the board was lost or rebuilt since: nothing was changed.

if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
for place = 2, #ARGV, 2 do
  if ARGV[place + 1] == '' then
    redis.call('ZREM', KEYS[1], ARGV[place])
  else
    redis.call('ZINCRBY', KEYS[1], ARGV[place + 1], ARGV[place])
  end
end
return 1

-- Change the board by differences, if it is still the one that was looked at, and no other run has begun to look at it.
--
-- KEYS  1 leaderboard  2 leaderboard:whole  3 leaderboard:sweep
-- ARGV  1 the mark it had  2 the number of the run  3.. pairs of member and difference, or '' to take the member off
-- Returns 'repaired'; 'another board' when it was lost or rebuilt since, 'another run': then nothing was changed.

if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 'another board'
end
if redis.call('HGET', KEYS[3], 'run_number') ~= ARGV[2] then
  return 'another run'
end
for place = 3, #ARGV, 2 do
  if ARGV[place + 1] == '' then
    redis.call('ZREM', KEYS[1], ARGV[place])
  else
    redis.call('ZINCRBY', KEYS[1], ARGV[place + 1], ARGV[place])
  end
end
return 'repaired'

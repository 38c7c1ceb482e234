-- Put a rebuilt board in its place and open it for updates, unless it is open already. They will be numbered in a new epoch.
--
-- KEYS  1 the rebuilt board (absent without players)  2 leaderboard  3 leaderboard:whole  4 leaderboard:numbers
-- ARGV  1 since when (ms) first results are kept here  2 how many players the rebuilt board must have
-- Answers 1, or 0 when another rebuild was faster; an error when the rebuilt board is not complete.

if redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('UNLINK', KEYS[1])
  return 0
end
if redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[2]) then
  return redis.error_reply('ERR the rebuilt board lost players on its way')
end
-- Who registered meanwhile stands on the old one, with 0 points; there are few of them, it was empty.
if redis.call('ZCARD', KEYS[2]) <= 10000 then
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], 0, 0)) do
    redis.call('ZADD', KEYS[1], 'NX', 0, member)
  end
end
redis.call('UNLINK', KEYS[2])
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('RENAME', KEYS[1], KEYS[2])
  redis.call('PERSIST', KEYS[2])
end
redis.call('HDEL', KEYS[4], 'open')
redis.call('SET', KEYS[3], ARGV[1])
return 1

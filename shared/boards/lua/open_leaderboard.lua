-- Put a rebuilt board in its place and open it for updates, unless it is open already. They will be numbered in a new epoch.
--
-- KEYS  1 the rebuilt board (absent without players)  2 leaderboard  3 leaderboard:whole  4 leaderboard:numbers
--       5 the hidden players of the rebuilt board (absent without any)  6 leaderboard:hidden
-- ARGV  1 since when (ms) first results are kept here  2 how many players the rebuilt board must have
--       3 the score with which players enter
-- Answers 1, or 0 when another rebuild was faster; an error when the rebuilt board is not complete.

if #KEYS ~= 6 or #ARGV ~= 3 then
  return redis.error_reply('ERR open_leaderboard takes 6 keys and 3 arguments')
end
local rebuilt, board, whole, numbers, rebuilt_hidden, hidden = unpack(KEYS)
local since, players, first_score = unpack(ARGV)

if redis.call('EXISTS', whole) == 1 then
  redis.call('UNLINK', rebuilt, rebuilt_hidden)
  return 0
end
if redis.call('ZCARD', rebuilt) + redis.call('ZCARD', rebuilt_hidden) < tonumber(players) then
  return redis.error_reply('ERR the rebuilt board lost players on its way')
end
-- Who registered meanwhile stands on the old one, with their first score; there are few of them, it was empty.
if redis.call('ZCARD', board) <= 10000 then
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', board, first_score, first_score)) do
    if not redis.call('ZSCORE', rebuilt_hidden, member) then
      redis.call('ZADD', rebuilt, 'NX', first_score, member)
    end
  end
end
for _, pair in ipairs({ { rebuilt, board }, { rebuilt_hidden, hidden } }) do
  local built, place = unpack(pair)
  redis.call('UNLINK', place)
  if redis.call('EXISTS', built) == 1 then
    redis.call('RENAME', built, place)
    redis.call('PERSIST', place)
  end
end
redis.call('HDEL', numbers, 'open')
redis.call('SET', whole, since)
return 1

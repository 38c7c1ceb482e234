-- A player's place, and those on each side of it, at one instant.
--
-- KEYS  1 leaderboard        sorted set: member user:<id>, cumulative points
--       2 leaderboard:whole  string: there when the board holds all that the ledger does
-- ARGV  1 the member  2 how many places on each side of it
-- Answers {rank from 0 of the first, then member and points of each, best first}, {} for who is not on the board,
--      or nothing while no places are known

if redis.call('EXISTS', KEYS[2]) == 0 then
  return false
end
local rank = redis.call('ZREVRANK', KEYS[1], ARGV[1])
if not rank then
  return {}
end
local first = math.max(rank - tonumber(ARGV[2]), 0)
return { first, unpack(redis.call('ZREVRANGE', KEYS[1], first, rank + tonumber(ARGV[2]), 'WITHSCORES')) }

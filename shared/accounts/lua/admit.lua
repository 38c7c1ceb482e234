-- Whether a caller may come in: the session goes on and the account is not disabled. And which role the account has now,
-- and what they came for: the prepared board, or a player's place and those on each side, at one instant.
--
-- KEYS  1 ended-sessions     sorted set: ids of sessions that ended; and '*', which says that all of them are here
--       2 user:<id>:profile  hash: role, disabled (0 or 1)
--       3 cached_top_<n>     string: the prepared board, to be read along; absent where nobody wants it
--      or
--       3 leaderboard        sorted set: member user:<id>, cumulative points
--       4 leaderboard:whole  string: there when the board holds all that the ledger does
-- ARGV  1 session id, or '' for a token that belongs to no session of ours  2 '1' when the database has no such account
--       3 member whose place is asked for, where there is a fourth key; otherwise for how long (ms) a board is kept
--       4 how many places on each side of the member
-- Answers {'ok', role or '' without an account, board or nothing}
--      or {'ok', role, rank from 0 of the first, then member and points of each, best first}, without these for who is not on the board
--      or a question: {'sessions'} ended ones are not known here, {'profile'} not cached
--      or a refusal: {'ended'}, {'unknown'} disabled, {'rebuilding'} no places are known

if ARGV[1] ~= '' then
  local ended = redis.call('ZMSCORE', KEYS[1], ARGV[1], '*')
  if ended[1] then
    return { 'ended' }
  end
  if not ended[2] then
    return { 'sessions' }
  end
end
local profile = redis.call('HMGET', KEYS[2], 'role', 'disabled')
if not profile[1] and ARGV[2] ~= '1' then
  return { 'profile' }
end
if profile[2] == '1' then
  return { 'unknown' }
end
local role = profile[1] or ''
if not KEYS[4] then
  local board = KEYS[3] and redis.call('GET', KEYS[3])
  -- Older than it may be: Redis ends a TTL by the clock on the wall, and that was set back.
  if board and redis.call('PTTL', KEYS[3]) > tonumber(ARGV[3]) then
    board = false
  end
  return { 'ok', role, board }
end
if redis.call('EXISTS', KEYS[4]) == 0 then
  return { 'rebuilding' }
end
local rank = redis.call('ZREVRANK', KEYS[3], ARGV[3])
if not rank then
  return { 'ok', role }
end
local first = math.max(rank - tonumber(ARGV[4]), 0)
return { 'ok', role, first, unpack(redis.call('ZREVRANGE', KEYS[3], first, rank + tonumber(ARGV[4]), 'WITHSCORES')) }

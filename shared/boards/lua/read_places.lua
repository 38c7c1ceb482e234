-- The first places, or a player's and those on each side of it, at one instant.
--
-- KEYS  1 leaderboard        sorted set: member user:<id>, cumulative points
--       2 leaderboard:whole  string: there when the board holds all that the ledger does
--       3 changed-profiles   stream: ids of players whose profile was changed
--       4 leaderboard:hidden sorted set: members of hidden players
-- ARGV  1 the member, or '' for the first places  2 how many places on each side of it, or how many of the first  3 command that answers a rank
--       4 command that answers the members of a span of ranks  5 entry of KEYS 3 from which on to answer
--       6 '1' for a player who asks, and sees themself where they are hidden
-- Answers {{id and player of each entry}, rank from 0 of the first, then member and points of each, best first}, {} for who is not on the board,
--      or nothing while no places are known

if #KEYS ~= 4 or #ARGV ~= 6 then
  return redis.error_reply('ERR read_places takes 4 keys and 6 arguments')
end
local board, whole, changed_profiles, hidden = unpack(KEYS)
local member, places, rank_command, span_command, since, is_own = unpack(ARGV)

if redis.call('EXISTS', whole) == 0 then
  return false
end
--!changes
local first, last = 0, tonumber(places) - 1
if member ~= '' then
  local rank = redis.call(rank_command, board, member)
  local hidden_score = not rank and is_own == '1' and redis.call('ZSCORE', hidden, member)
  if hidden_score then
    local descending, span, rank_of = rank_command == 'ZREVRANK', span_command, rank_command
--!standing
--!around_hidden
    local before, rows = around_hidden(board, hidden_score, member, tonumber(places))
    return { changes, before, unpack(rows) }
  end
  if not rank then
    return {}
  end
  first, last = math.max(rank - tonumber(places), 0), rank + tonumber(places)
end
return { changes, first, unpack(redis.call(span_command, board, first, last, 'WITHSCORES')) }

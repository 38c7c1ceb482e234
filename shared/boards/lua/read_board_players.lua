-- Where players stand in seasons of a board, and who stands around them, at one instant.
--
-- KEYS  1 board:<id>          hash: version, another one with every change of the board and of its open seasons
--       2 leaderboard:whole   string: there when this Redis holds all that the ledger does
--       3 changed-profiles    stream: ids of players whose profile was changed
--       4.. of each season    board:<id>:<period>:<season>, sorted set: members with their scores
--                             board:<id>:<period>:<season>:members, hash: the member of each player
--                             board:<id>:<period>:<season>:hidden, sorted set: members of hidden players
-- ARGV  1 the version of KEYS 1 that is known, '' for a board without one  2 until when (ms) its seasons are those that are known
--       3 what stands before the user id in a member, '' where the hash says which member is whose
--       4 'descending' or 'ascending'  5 '1' when equal scores share a rank  6 entry of KEYS 3 from which on to answer
--       7 how many rows on each side of a player  8 who asks, and sees themself where they are hidden, or ''  9.. user ids
-- Answers {'ok', now (ms), {id and player of each entry of KEYS 3}, {number of all rows, {member, score and rank of each row} by player,
--          empty for who is not there} of each season}
--      or {'board', now (ms)} when what is known of the board is out of date, or nothing while no places are known

if #KEYS < 3 or #KEYS % 3 ~= 0 or #ARGV < 8 or #ARGV > 108 then
  return redis.error_reply('ERR read_board_players takes 3 keys and 3 for each season, 8 arguments and one for each of at most 100 players')
end
local board, whole, changed_profiles = unpack(KEYS)
local version, known_until, beginning, order, shared, since, neighbours, asker = unpack(ARGV)

local descending = order == 'descending'
local span, rank_of = 'ZRANGE', 'ZRANK'
if descending then
  span, rank_of = 'ZREVRANGE', 'ZREVRANK'
end
neighbours = tonumber(neighbours)

--!current

--!standing
--!around_hidden
local function rows_around(scores, member, hidden_score)
  local place = member and redis.call(rank_of, scores, member)
  if not place and not hidden_score then
    return {}
  end
  local first, found
  if place then
    first = math.max(place - neighbours, 0)
    found = redis.call(span, scores, first, place + neighbours, 'WITHSCORES')
  else
    first, found = around_hidden(scores, hidden_score, member, neighbours)
  end
  local rows, rank, last_score = {}, 0, nil
  for at = 1, #found, 2 do
    local score = found[at + 1]
    if shared ~= '1' or last_score and score ~= last_score then
      rank = first + (at + 1) / 2
    elseif not last_score then
      rank = better(scores, score) + 1
    end
    last_score = score
    rows[#rows + 1], rows[#rows + 2], rows[#rows + 3] = found[at], score, rank
  end
  return rows
end

--!changes
local answer = { 'ok', now, changes }
for at = 4, #KEYS, 3 do
  local scores, members, hidden = unpack(KEYS, at, at + 2)
  local season = { redis.call('ZCARD', scores) }
  for player = 9, #ARGV do
    local member = beginning ~= '' and beginning .. ARGV[player] or redis.call('HGET', members, ARGV[player])
    local hidden_score = member and ARGV[player] == asker and redis.call('ZSCORE', hidden, member)
    season[#season + 1] = rows_around(scores, member, hidden_score)
  end
  answer[#answer + 1] = season
end
return answer

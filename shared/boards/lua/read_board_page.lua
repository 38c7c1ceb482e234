-- Rows of a season that follow one another, at one instant: from a rank on, around a player, or after a place. Nothing is written.
--
-- KEYS  1 board:<id>                            hash: version, another one with every change of the board and of its open seasons
--       2 leaderboard:whole                     string: there when this Redis holds all that the ledger does
--       3 changed-profiles                      stream: ids of players whose profile was changed
--       4 leaderboard:numbers                   hash: epoch and sequence of the newest entry of all boards
--       5 board:<id>:<period>:<season>          sorted set: members with their scores
--       6 board:<id>:<period>:<season>:members  hash: the member of each player
-- ARGV  1 the version of KEYS 1 that is known, '' for a board without one  2 until when (ms) its seasons are those that are known
--       3 what stands before the user id in a member, '' where KEYS 6 says which member is whose
--       4 'descending' or 'ascending'  5 '1' when equal scores share a rank  6 entry of KEYS 3 from which on to answer
--       7 how many rows  8 'from', 'around' or 'after'  9 a rank, a user id, or a score  10 after: the member of that score
--       11 after: where in a member the number of its entry begins, from 1, or 0 when no number bounds the rows
--       12 13 after: epoch and sequence as they stand in members; rows with a later number are left out
-- Answers {'ok', now (ms), epoch, sequence, number of all rows, member and score of the last row that was looked at,
--          1 when more rows follow it, {id and player of each entry of KEYS 3}, {member, score and rank of each row}}
--      or {'board', now (ms)} when what is known of the board is out of date, or nothing while no places are known

if #KEYS ~= 6 or #ARGV ~= 13 then
  return redis.error_reply('ERR read_board_page takes 6 keys and 13 arguments')
end
local board, whole, changed_profiles, numbers, scores, members = unpack(KEYS)
local version, known_until, beginning, order, shared, since, limit, kind, where = unpack(ARGV, 1, 9)
local after_member, number_at, last_epoch, last_sequence = unpack(ARGV, 10)

-- As many members with a number that is too late are looked at for one page; then the page is shorter, and the next one goes on.
local MOST = 10000
local STEP = 500
local descending = order == 'descending'
local span, rank_of = 'ZRANGE', 'ZRANK'
if descending then
  span, rank_of = 'ZREVRANGE', 'ZREVRANK'
end
limit, number_at = tonumber(limit), tonumber(number_at)
last_epoch, last_sequence = tonumber(last_epoch), tonumber(last_sequence)

--!current

--!standing

local total = redis.call('ZCARD', scores)
local place = 0
if kind == 'from' then
  place = tonumber(where) - 1
  if shared == '1' and place < total then
    local score = redis.call(span, scores, place, place, 'WITHSCORES')[2]
    if better(scores, score) < place then
      place = as_good(scores, score)
    end
  end
elseif kind == 'around' then
  local member = beginning ~= '' and beginning .. where or redis.call('HGET', members, where)
  local rank = member and redis.call(rank_of, scores, member)
  place = rank and math.max(math.min(rank - math.floor(limit / 2), total - limit), 0) or total
else
  place = up_to(scores, where, after_member)
end

local function is_too_late(member)
  local epoch = tonumber(member:sub(number_at, number_at + 7))
  local sequence = tonumber(member:sub(number_at + 8, number_at + 21))
  if epoch ~= last_epoch then
    return (epoch < last_epoch) == descending
  end
  return sequence ~= last_sequence and (sequence < last_sequence) == descending
end

local rows, found, looked, step, rank = {}, 0, 0, limit, 0
local last_member, last_score = '', ''
while found < limit and place < total and looked < MOST do
  local chunk = redis.call(span, scores, place, place + step - 1, 'WITHSCORES')
  for at = 1, #chunk, 2 do
    local member, score = chunk[at], chunk[at + 1]
    if shared ~= '1' then
      rank = place + 1
    elseif looked == 0 then
      rank = better(scores, score) + 1
    elseif score ~= last_score then
      rank = place + 1
    end
    place, looked, last_member, last_score = place + 1, looked + 1, member, score
    if number_at == 0 or not is_too_late(member) then
      rows[found * 3 + 1], rows[found * 3 + 2], rows[found * 3 + 3] = member, score, rank
      found = found + 1
      if found == limit then
        break
      end
    end
  end
  step = STEP
end

--!changes
local newest = redis.call('HMGET', numbers, 'epoch', 'sequence')
local epoch, sequence = newest[1] or '0', newest[2] or '0'
return { 'ok', now, epoch, sequence, total, last_member, last_score, place < total and 1 or 0, changes, rows }

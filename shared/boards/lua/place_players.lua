-- Have players stand on the board, or hidden beside it, each with the score they have. Nobody's score changes.
--
-- KEYS  1 leaderboard         sorted set: the board's member of each player, with its score
--       2 leaderboard:hidden  sorted set: members of hidden players
--       3 4 cached_top_<n>    strings: prepared documents, which go when somebody moves
-- ARGV  1 'show', 'hide', 'enter' those who are on neither, or have those 'leave' who have the first score  2 command that changes a score
--       3 the score with which players enter, or '' when nobody enters  4.. members
-- Answers how many moved from one to the other.

if #KEYS ~= 4 or #ARGV < 4 then
  return redis.error_reply('ERR place_players takes 4 keys, 3 arguments, and one for each player')
end
local board, hidden, shorter, longer = unpack(KEYS)
local verb, change_command, first_score = unpack(ARGV)

local from, to = hidden, board
if verb == 'hide' then
  from, to = board, hidden
end
local moved = 0
for place = 4, #ARGV do
  local member = ARGV[place]
  local score = redis.call('ZSCORE', from, member)
  if verb == 'leave' then
    for _, key in ipairs({ board, hidden }) do
      if redis.call('ZSCORE', key, member) == first_score then
        moved = moved + redis.call('ZREM', key, member)
      end
    end
  elseif score and verb ~= 'enter' then
    -- Who stands on both, because something was lost or written by hand, has the points of both.
    redis.call(change_command, to, score, member)
    redis.call('ZREM', from, member)
    moved = moved + 1
  elseif not score and first_score ~= '' then
    redis.call('ZADD', to, 'NX', first_score, member)
  end
end
if moved > 0 then
  redis.call('UNLINK', shorter, longer)
end
return moved

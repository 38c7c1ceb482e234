-- Have players of a season stand where the ledger says, if the board is still the one that was read, and no other run has begun.
--
-- KEYS  1 board:<id>  2 leaderboard:whole  3 leaderboard:sweep  4 board:<id>:<period>:<season>  5 …:members  6 …:hidden
-- ARGV  1 the mark of KEYS 2  2 the number of the run, or '' outside of one  3 the version of KEYS 1  4 period  5 season  6 '1' with a second column
--       7.. of each player nine: user id; member, score, and score among the hidden as they were read, or ''; the member and the score
--       to have, '' for none; '1' to be hidden; what to add to score and second column when the player has entered since, or '' twice
-- Answers '1' or '0' for each player: repaired, or another one by now;
--      'another board', 'another run', 'another season': then nothing was changed.

if #KEYS ~= 6 or #ARGV < 6 or (#ARGV - 6) % 9 ~= 0 then
  return redis.error_reply('ERR repair_standings takes 6 keys, 6 arguments, and nine for each player')
end
local board, whole, sweep, scores, members, hidden = unpack(KEYS)
local mark, run_number, version, period, season, has_second = unpack(ARGV)

if redis.call('GET', whole) ~= mark then
  return 'another board'
end
if run_number ~= '' and redis.call('HGET', sweep, 'run_number') ~= run_number then
  return 'another run'
end
local open_season = string.match(redis.call('HGET', board, 'season:' .. period) or '', '^(%d+) ')
local is_here = open_season == season or redis.call('HEXISTS', board, 'ended:' .. period .. ':' .. season) == 1
if redis.call('HGET', board, 'version') ~= version or not is_here then
  return 'another season'
end
local largest, names_at = 9007199254740991, has_second == '1' and 40 or 23

local function is_own(member, user_id)
  return string.sub(member, names_at) == user_id
end

-- The player's newest entry named the member: its number stays, score and second column are summed.
local function add(member, score_difference, second_difference)
  local where = redis.call('ZSCORE', hidden, member) and hidden or scores
  local score = tonumber(redis.call('ZSCORE', where, member) or 'nan')
  if score ~= score then
    return '0'
  end
  score = score + tonumber(score_difference)
  local name = member
  if has_second == '1' then
    local second = tonumber(string.sub(member, 2, 17)) - (string.sub(member, 1, 1) == '0' and largest or 0) + tonumber(second_difference)
    if math.abs(second) > largest then
      return '0'
    end
    name = (second < 0 and string.format('0%016.0f', largest + second) or string.format('1%016.0f', second)) .. string.sub(member, 18)
  end
  if math.abs(score) > largest then
    return '0'
  end
  redis.call('ZREM', where, member)
  redis.call('ZADD', where, string.format('%.0f', score), name)
  return name
end

local answer = {}
for place = 7, #ARGV, 9 do
  local user_id, member, score, hidden_score, name, right_score, is_hidden, score_difference, second_difference =
    unpack(ARGV, place, place + 8)
  local present = redis.call('HGET', members, user_id) or ''
  local outcome = '0'
  if present ~= member then
    if score_difference ~= '' and is_own(present, user_id) then
      local renamed = add(present, score_difference, second_difference)
      if renamed ~= '0' then
        redis.call('HSET', members, user_id, renamed)
        outcome = '1'
      end
    end
  elseif
    member == ''
    or ((redis.call('ZSCORE', scores, member) or '') == score and (redis.call('ZSCORE', hidden, member) or '') == hidden_score)
  then
    if is_own(member, user_id) then
      redis.call('ZREM', scores, member)
      redis.call('ZREM', hidden, member)
    end
    if name == '' then
      redis.call('HDEL', members, user_id)
    else
      redis.call('ZREM', is_hidden == '1' and scores or hidden, name)
      redis.call('ZADD', is_hidden == '1' and hidden or scores, right_score, name)
      redis.call('HSET', members, user_id, name)
    end
    outcome = '1'
  end
  answer[#answer + 1] = outcome
end
return answer

-- The first rows of seasons of a board at one instant, and the version that the instant has: no two are the same, later ones larger.
--
-- KEYS  1 board:<id>               hash: version, another one with every change of the board and of its open seasons
--       2 leaderboard:whole        string: there when this Redis holds all that the ledger does
--       3 changed-profiles         stream: ids of players whose profile was changed
--       4 views' version           string: the newest version; TTL an hour, when the time in ms has long overtaken it
--       5 watched views            sorted set: views of which frames are made, until when (ms)
--       6.. board:<id>:<period>:<season>  sorted sets: members with their scores
-- ARGV  1 the version of KEYS 1 that is known  2 until when (ms) its seasons are those that are known
--       3 'descending' or 'ascending'  4 '1' when equal scores share a rank  5 entry of KEYS 3 from which on to answer
--       6 a view that is watched from now on, or ''  7 for how long (ms)
--       8.. how many rows of each season
-- Answers {'ok', now (ms), version, {id and player of each entry of KEYS 3}, {member, score and rank of each row} for each season}
--      or {'board', now (ms)} when what is known of the board is out of date, or nothing while no places are known

if #KEYS < 5 or #ARGV ~= #KEYS + 2 then
  return redis.error_reply('ERR read_views takes a key and an argument for each season, 5 keys and 7 arguments')
end
local board, whole, changed_profiles, version_key, watched = unpack(KEYS)
local version, known_until, order, shared, since, view, watched_ms = unpack(ARGV)

--!current

local frame_version = math.max(tonumber(redis.call('GET', version_key) or '0') + 1, now)
redis.call('SET', version_key, string.format('%.0f', frame_version), 'EX', 3600)
if view ~= '' then
  redis.call('ZADD', watched, 'GT', string.format('%.0f', now + tonumber(watched_ms)), view)
end

--!changes

local answer = { 'ok', now, frame_version, changes }
for season = 6, #KEYS do
  local span = order == 'descending' and 'ZREVRANGE' or 'ZRANGE'
  local standings = redis.call(span, KEYS[season], 0, tonumber(ARGV[season + 2]) - 1, 'WITHSCORES')
  local rows, rank, last_score = {}, 0, ''
  for at = 1, #standings, 2 do
    local score = standings[at + 1]
    if shared ~= '1' or score ~= last_score then
      rank = (at + 1) / 2
    end
    last_score = score
    rows[#rows + 1], rows[#rows + 2], rows[#rows + 3] = standings[at], score, rank
  end
  answer[#answer + 1] = rows
end
return answer

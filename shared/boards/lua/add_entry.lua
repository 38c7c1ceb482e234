-- The whole of an entry on a board that an operator defined, in one atomic step: it counts in the open season of every period.
--
-- KEYS  1 leaderboard:whole    string: there when this Redis holds what the ledger does; since when (ms) first results are kept here
--       2 leaderboard:numbers  hash: as in update_score.lua; one sequence for all boards
--       3 outbox               stream: accepted updates and entries that the ledger does not have yet
--       4 rate-windows         sorted set: `<user id> <board id>` for the windows of boards, user id for spent tickets
--       5 ended-sessions       sorted set: ids of sessions that ended; and '*', which says that all of them are here
--       6 results              stream: keys of first results, in the order in which they were kept
--       7 user:<id>:profile    hash: role, api_key (SHA-256), disabled (0 or 1)
--       8 user:<id>:requests:<board>  list: instants (ms) of the accepted entries, newest first, at most `limit`
--       9 user:<id>:result:*   hash: first result of this idempotency key
--      10 user:<id>:tickets    sorted set: request ids of spent tickets, until when (ms) each must be known
--      11 board:<id>           hash: `version` changes with definition and seasons
--      12 server-key:<id>      string: SHA-256 of a game server's key, the boards it is good for, or *, and `:<scope>` for each scope
--                              where they are not the usual ones
--      13.. for each open season its sorted set of members with scores, its hash of players' members, and the sorted set of those who are
--         hidden
-- ARGV  1 version that the caller knows  2 until when (ms) the seasons it knows are open  3 'add', 'best' or 'latest'
--       4 'descending' or 'ascending'  5 '1' with a second column  6 '1' where equal scores share a rank
--       7 limit  8 window (ms)  9 for how long (ms) the first result of an idempotency key is kept
--      10 for how long (ms) beyond its end a ticket's being spent must be known  11 for how long (ms) after a rebuild one may have been
--         spent before
--      12 board id  13 user id  14 request id  15 what is asked for, as text  16 value  17 second value  18 metadata (JSON), or ''
--      19 source ip  20 hash of the API key sent, or ''  21 now (ms), or '' for Redis's own clock
--      22 '1' when the ledger was asked for key and request id and has neither  23 when the ticket with this request id expires (ms), or ''
--      24 session id, or ''  25 id of the idempotency key, or ''  26 the process that will publish the event
--      27 who writes: `server:<key id>`, or '' for the player  28 SHA-256 of the server key that was shown, or ''
--      29.. for each open season its period and its number
-- Answers {'ok', places, 0, now, remaining, ms until the oldest leaves the window, replayed, request id, outbox id, epoch, sequence}, as
--      update_score.lua does; places are `period:season:score:second:rank:improved`, joined by |
--      or a question: {'board', now} definition or seasons are others by now, {'epoch'}, {'sessions'}, {'profile'}, {'history'},
--      {'absent'} the player's member has no score, or is hidden for no reason that the profile knows, {'server_key'} not cached
--      or a refusal: those of update_score.lua, {'bounds'} the score would be too large, {'closed'} no season is open, {'key'} the server
--      key is not good, {'scope'} or not for this board, {'may'} or not for writing

if #KEYS < 12 or #ARGV < 28 or #KEYS % 3 ~= 0 or (#KEYS - 12) / 3 ~= (#ARGV - 28) / 2 then
  return redis.error_reply('ERR add_entry takes 12 keys, 28 arguments, and three keys and two arguments for each season')
end
local whole, numbers_key, outbox, rate_windows, ended_sessions, results, profile_key, requests, result, tickets, board, server_key
  = unpack(KEYS)
local version, seasons_until, operator, order, has_second, is_shared, limit, window, keep, spent_margin, spent_before,
  board_id, user_id, request_id, increment, value, second, metadata, source_ip, api_key, given_now, not_in_ledger, ticket_expires, session_id,
  key_id, process, writer, server_key_hash = unpack(ARGV)

if server_key_hash ~= '' then
  local known = redis.call('GET', server_key)
  if not known then
    return { 'server_key' }
  end
  if string.sub(known, 1, 64) ~= server_key_hash then
    return { 'key' }
  end
  local words = string.sub(known, 65) .. ' '
  if not string.find(words, ' * ', 1, true) and not string.find(words, ' ' .. board_id .. ' ', 1, true) then
    return { 'scope' }
  end
  if string.find(words, ' :', 1, true) and not string.find(words, ' :write ', 1, true) then
    return { 'may' }
  end
end

--!admission

if redis.call('HGET', board, 'version') ~= version or now >= tonumber(seasons_until) then
  return { 'board', at }
end
if #KEYS == 12 then
  return { 'closed' }
end
local largest = 9007199254740991
local sign = order == 'descending' and 1 or -1
value, second = tonumber(value), tonumber(second)
--!hidden_here

local counts = {}
for place = 13, #KEYS, 3 do
  local count = { shown = KEYS[place], members = KEYS[place + 1], score = value, second = second, improved = true, renewed = true }
  -- Whoever is hidden goes on playing, out of sight.
  count.scores = is_hidden and KEYS[place + 2] or count.shown
  count.member = redis.call('HGET', count.members, user_id)
  if count.member then
    local before = redis.call('ZSCORE', count.scores, count.member)
    if not before and is_hidden then
      count.scores = count.shown -- not hidden yet
      before = redis.call('ZSCORE', count.scores, count.member)
    end
    if not before then
      return { 'absent' }
    end
    before = tonumber(before)
    local second_before = 0
    if has_second == '1' then
      second_before = tonumber(string.sub(count.member, 2, 17))
      if string.sub(count.member, 1, 1) == '0' then
        second_before = second_before - largest
      end
    end
    if operator == 'add' then
      count.score, count.second = before + value, second_before + second
    end
    count.improved = sign * count.score > sign * before or (count.score == before and sign * count.second > sign * second_before)
    if operator == 'best' and not count.improved then
      count.score, count.second = before, second_before
    end
    count.renewed = count.score ~= before or count.second ~= second_before
  end
  if math.abs(count.score) > largest or math.abs(count.second) > largest then
    return { 'bounds' }
  end
  counts[#counts + 1] = count
end

local window_name = user_id .. ' ' .. board_id
--!accepted

-- Equal scores stand in the order of members: where the board is read from its end, earlier ones have larger names (member.py).
local epoch_key, sequence_key = tonumber(numbers[2]), sequence
if order == 'descending' then
  epoch_key, sequence_key = 99999999 - epoch_key, 99999999999999 - sequence_key
end
local places = {}
for number, count in ipairs(counts) do
  if count.renewed then
    local second_key = ''
    if has_second == '1' then
      second_key = count.second < 0 and string.format('0%016.0f', largest + count.second) or string.format('1%016.0f', count.second)
    end
    local member = second_key .. string.format('%08.0f%014.0f', epoch_key, sequence_key) .. user_id
    if count.member then
      redis.call('ZREM', count.scores, count.member)
    end
    redis.call('ZADD', count.scores, string.format('%.0f', count.score), member)
    redis.call('HSET', count.members, user_id, member)
    count.member = member
  end
  local rank
  if is_shared == '1' and sign == 1 then
    rank = redis.call('ZCOUNT', count.shown, string.format('(%.0f', count.score), '+inf')
  elseif is_shared == '1' then
    rank = redis.call('ZCOUNT', count.shown, '-inf', string.format('(%.0f', count.score))
  else
    if count.scores ~= count.shown then
      -- For as long as this step takes: where they would stand.
      redis.call('ZADD', count.shown, string.format('%.0f', count.score), count.member)
    end
    rank = redis.call(sign == 1 and 'ZREVRANK' or 'ZRANK', count.shown, count.member)
    if count.scores ~= count.shown then
      redis.call('ZREM', count.shown, count.member)
    end
  end
  places[number] = string.format(
    '%s:%s:%.0f:%.0f:%d:%d', ARGV[27 + 2 * number], ARGV[28 + 2 * number], count.score, count.second, rank + 1, count.improved and 1 or 0
  )
end
places = table.concat(places, '|')

-- The same fields in every entry of a board, in the order of those that update_score.lua writes.
local entry = redis.call(
  'XADD', outbox, '*',
  'request_id', request_id, 'user_id', user_id, 'increment', string.format('%.0f', value), 'new_score',
  string.format('%.0f', counts[1].score), 'accepted_at', at, 'source_ip', source_ip,
  'epoch', numbers[2], 'sequence', sequence, 'key_id', key_id, 'rank', 0, 'process', process,
  'board', board_id, 'writer', writer, 'second', string.format('%.0f', second), 'metadata', metadata, 'places', places
)
if is_keyed then
  redis.call('HSET', result, 'increment', increment, 'score', places, 'rank', 0, 'at', at, 'request_id', request_id)
  redis.call('XADD', results, '*', 'user_id', user_id, 'key_id', key_id)
end
local reset = (oldest or now) + window - now
return { 'ok', places, 0, at, limit - used - 1, reset, 0, request_id, entry, tonumber(numbers[2]), sequence }

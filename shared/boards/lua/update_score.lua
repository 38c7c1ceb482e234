-- The whole of an update in one atomic step: either all of it happened or nothing.
--
-- KEYS  1 leaderboard         sorted set: member user:<id>, cumulative points
--       2 leaderboard:whole   string: there when the board holds all that the ledger does; since when (ms) first results are kept here
--       3 user:<id>:profile   hash: role, api_key (SHA-256), disabled (0 or 1)
--       4 user:<id>:requests  list: instants (ms) of the accepted updates, newest first, at most `limit`
--       5 user:<id>:result:*  hash: first result of this idempotency key
--       6 outbox              stream: accepted updates that the ledger does not have yet
--       7 user:<id>:tickets   sorted set: request ids of spent tickets, until when (ms) each must be known
--       8 rate-windows        sorted set: players with 4 or 7, from when on (ms) all in them is past
--       9 ended-sessions      sorted set: ids of sessions that ended; and '*', which says that all of them are here
--      10 leaderboard:numbers hash: epoch and sequence of the newest accepted update, `open` while there may be another one;
--                             `restored`: the value of 2 since when what was lost before is here again;
--                             `windows_lost_until`: until when (ms) 4 may lack updates that Redis lost
--      11 results             stream: keys of first results, in the order in which they were kept
-- ARGV  1 member  2 user id  3 request id  4 increment  5 source ip  6 limit  7 window (ms)
--       8 hash of the API key sent, or ''  9 for how long (ms) the first result of an idempotency key is kept
--      10 now (ms), or '' for Redis's own clock  11 '1' when the ledger was asked for key and request id and has neither
--      12 when the ticket with this request id expires (ms), or '' without one  13 for how long (ms) its being spent must be known
--         beyond that  14 for how long (ms) after a rebuild it may have been spent before
--      15 session id, or '' for a token that belongs to no session of ours  16 id of the idempotency key, or ''
--      17 the process that will publish the event
-- Answers {'ok', score, rank from 0, now, remaining, ms until the oldest leaves the window, replayed, request id, outbox id, epoch, sequence},
--      without the last three where replayed is 1 and the event does not wait in the outbox any more
--      or a question: {'epoch'} none is open, {'sessions'} ended ones are not known here, {'profile'} not cached, {'absent'} no member,
--      {'history'} ask the ledger for key and request id
--      or a refusal: {'rebuilding'}, {'ended'} the session, {'role'}, {'unknown'} disabled, {'api_key'}, {'reused'}, {'spent'}, {'expired'},
--      {'bounds'} the ledger could not record the score, {'limited', ms until the next is allowed}, {'lost', ms until it may be known whether it is allowed}

local MAX_SCORE = 2147483647 -- score_history.new_score is INT

local mark = redis.call('GET', KEYS[2])
if not mark then
  return { 'rebuilding' }
end
local numbers = redis.call('HMGET', KEYS[10], 'open', 'epoch', 'restored', 'windows_lost_until')
if not numbers[1] then
  return { 'epoch' }
end
if ARGV[15] ~= '' then
  local ended = redis.call('ZMSCORE', KEYS[9], ARGV[15], '*')
  if ended[1] then
    return { 'ended' }
  end
  if not ended[2] then
    return { 'sessions' }
  end
end
local profile = redis.call('HMGET', KEYS[3], 'role', 'api_key', 'disabled')
if not profile[1] then
  return { 'profile' }
end
if profile[3] == '1' then
  return { 'unknown' }
end
if profile[1] ~= 'player' then
  return { 'role' }
end
-- Hashes are compared, not keys: how long that takes tells of a hash, and from a hash nobody finds 32 random bytes.
if ARGV[8] ~= '' and ARGV[8] ~= profile[2] then
  return { 'api_key' }
end

local limit, window = tonumber(ARGV[6]), tonumber(ARGV[7])
local now = tonumber(ARGV[10])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The clock went back: what was made later than now was made just now at the latest. That refuses for a window, never allows too much.
local place = 0
local instant = tonumber(redis.call('LINDEX', KEYS[4], place))
while instant and instant > now do
  redis.call('LSET', KEYS[4], place, string.format('%.0f', now))
  place = place + 1
  instant = tonumber(redis.call('LINDEX', KEYS[4], place))
end

-- What left the window goes; what is left in it counts. Exact: at most `limit` in any half-open interval of the window's length.
local oldest = tonumber(redis.call('LINDEX', KEYS[4], -1))
while oldest and oldest <= now - window do
  redis.call('RPOP', KEYS[4])
  oldest = tonumber(redis.call('LINDEX', KEYS[4], -1))
end
local used = redis.call('LLEN', KEYS[4])

local is_keyed, keep = ARGV[16] ~= '', tonumber(ARGV[9])
if is_keyed then
  local first = redis.call('HMGET', KEYS[5], 'increment', 'score', 'rank', 'at', 'request_id')
  if first[1] and tonumber(first[4]) + keep > now then
    if first[1] ~= ARGV[4] then
      return { 'reused' }
    end
    local reset = (oldest or now) + window - now
    local answer = { 'ok', first[2], first[3], first[4], math.max(limit - used, 0), reset, 1, first[5] }
    -- Whoever was to publish the event may have died: while it waits the caller publishes it, too. It was added right after its instant.
    for _, entry in ipairs(redis.call('XRANGE', KEYS[6], first[4], '+', 'COUNT', 100)) do
      local event = {}
      for place = 1, #entry[2], 2 do
        event[entry[2][place]] = entry[2][place + 1]
      end
      if event.request_id == first[5] then
        answer[9], answer[10], answer[11] = entry[1], tonumber(event.epoch), tonumber(event.sequence)
        break
      end
    end
    return answer
  end
end

local ticket_expires = tonumber(ARGV[12])
if ticket_expires and redis.call('ZSCORE', KEYS[7], ARGV[3]) then
  return { 'spent' }
end
-- First results and spent tickets from before may be lost with the Redis that kept them: until they are restored the ledger is asked.
local doubt = math.max(is_keyed and keep or 0, ticket_expires and tonumber(ARGV[14]) or 0)
if doubt > 0 and ARGV[11] ~= '1' and numbers[3] ~= mark and now < tonumber(mark) + doubt then
  return { 'history' }
end
if ticket_expires and ticket_expires <= now then
  return { 'expired' }
end

if used >= limit then
  return { 'limited', oldest + window - now }
end
-- Redis lost the last moments of every window. Soon the ledger says what was in them; until then no update is provably within the limit.
if numbers[4] and now < tonumber(numbers[4]) then
  return { 'lost', math.min(tonumber(numbers[4]) - now, 1000) }
end
local before = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]))
if not before then
  return { 'absent' }
end
if math.abs(before + tonumber(ARGV[4])) > MAX_SCORE then
  return { 'bounds' }
end

local score = redis.call('ZINCRBY', KEYS[1], ARGV[4], ARGV[1])
local rank = redis.call('ZREVRANK', KEYS[1], ARGV[1])
local at = string.format('%.0f', now)
redis.call('LPUSH', KEYS[4], at)
-- No TTL: a full Redis takes away what has one, and with it the limit or the spent ticket. forget_windows.lua clears up instead.
local past = now + window
if ticket_expires then
  local known_until = ticket_expires + tonumber(ARGV[13])
  redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', at)
  redis.call('ZADD', KEYS[7], string.format('%.0f', known_until), ARGV[3])
  past = math.max(past, known_until)
end
redis.call('ZADD', KEYS[8], 'GT', string.format('%.0f', past), ARGV[2])
local sequence = redis.call('HINCRBY', KEYS[10], 'sequence', 1)
-- The same fields in every entry: the stream then stores their names once.
local entry = redis.call(
  'XADD', KEYS[6], '*',
  'request_id', ARGV[3], 'user_id', ARGV[2], 'increment', ARGV[4], 'new_score', score,
  'accepted_at', at, 'source_ip', ARGV[5],
  'epoch', numbers[2], 'sequence', sequence, 'key_id', ARGV[16], 'rank', rank + 1, 'process', ARGV[17]
)
if is_keyed then
  redis.call(
    'HSET', KEYS[5],
    'increment', ARGV[4], 'score', score, 'rank', rank, 'at', at, 'request_id', ARGV[3]
  )
  -- No TTL, for the same reason: a result that was taken away early would let its key count again.
  redis.call('XADD', KEYS[11], '*', 'user_id', ARGV[2], 'key_id', ARGV[16])
end
local reset = (oldest or now) + window - now
return { 'ok', score, rank, at, limit - used - 1, reset, 0, ARGV[3], entry, tonumber(numbers[2]), sequence }

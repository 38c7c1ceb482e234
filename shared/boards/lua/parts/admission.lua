-- Whether a request may change a score now: the mark of the board, session, account, idempotency key, ticket, rate window.
--
-- Needs: whole, numbers_key, outbox, ended_sessions, profile_key, requests, result, tickets (keys); limit, window, keep, spent_before,
--   given_now, request_id, increment (what is asked for, as text), api_key, not_in_ledger, ticket_expires, session_id, key_id (arguments).
-- Makes: now, at (now as text), oldest and used (of the rate window), numbers[2] (the epoch), profile[4] (the boards on which a moderator
--   has hidden the player, `*` for every board), is_keyed.
-- Returns from the script with a question, a refusal, or the first result of the idempotency key.

local mark = redis.call('GET', whole)
if not mark then
  return { 'rebuilding' }
end
local numbers = redis.call('HMGET', numbers_key, 'open', 'epoch', 'restored', 'windows_lost_until')
if not numbers[1] then
  return { 'epoch' }
end
--!session
local profile = redis.call('HMGET', profile_key, 'role', 'api_key', 'disabled', 'hidden_on')
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
if api_key ~= '' and api_key ~= profile[2] then
  return { 'api_key' }
end

limit, window, keep, ticket_expires = tonumber(limit), tonumber(window), tonumber(keep), tonumber(ticket_expires)
--!now

-- The clock went back: what was made later than now was made just now at the latest. That refuses for a window, never allows too much.
local place = 0
local instant = tonumber(redis.call('LINDEX', requests, place))
while instant and instant > now do
  redis.call('LSET', requests, place, string.format('%.0f', now))
  place = place + 1
  instant = tonumber(redis.call('LINDEX', requests, place))
end

-- What left the window goes; what is left in it counts. Exact: at most `limit` in any half-open interval of the window's length.
local oldest = tonumber(redis.call('LINDEX', requests, -1))
while oldest and oldest <= now - window do
  redis.call('RPOP', requests)
  oldest = tonumber(redis.call('LINDEX', requests, -1))
end
local used = redis.call('LLEN', requests)

local is_keyed = key_id ~= ''
if is_keyed then
  local first = redis.call('HMGET', result, 'increment', 'score', 'rank', 'at', 'request_id')
  if first[1] and tonumber(first[4]) + keep > now then
    if first[1] ~= increment then
      return { 'reused' }
    end
    local reset = (oldest or now) + window - now
    local answer = { 'ok', first[2], first[3], first[4], math.max(limit - used, 0), reset, 1, first[5] }
    -- Whoever was to publish the event may have died: while it waits the caller publishes it, too. It was added right after its instant.
    for _, entry in ipairs(redis.call('XRANGE', outbox, first[4], '+', 'COUNT', 100)) do
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

if ticket_expires and redis.call('ZSCORE', tickets, request_id) then
  return { 'spent' }
end
-- First results and spent tickets from before may be lost with the Redis that kept them: until they are restored the ledger is asked.
local doubt = math.max(is_keyed and keep or 0, ticket_expires and tonumber(spent_before) or 0)
if doubt > 0 and not_in_ledger ~= '1' and numbers[3] ~= mark and now < tonumber(mark) + doubt then
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
local at = string.format('%.0f', now)

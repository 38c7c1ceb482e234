-- An update is accepted: it counts in the rate window, its ticket is spent, and it has a number. After admission.lua.
--
-- Needs beside that: rate_windows (key); user_id, spent_margin, window_name (of `requests` in rate-windows).
-- Makes: sequence.

redis.call('LPUSH', requests, at)
-- No TTL: a full Redis takes away what has one, and with it the limit or the spent ticket. forget_windows.lua clears up instead.
if ticket_expires then
  local known_until = string.format('%.0f', ticket_expires + tonumber(spent_margin))
  redis.call('ZREMRANGEBYSCORE', tickets, '-inf', at)
  redis.call('ZADD', tickets, known_until, request_id)
  redis.call('ZADD', rate_windows, 'GT', known_until, user_id)
end
redis.call('ZADD', rate_windows, 'GT', string.format('%.0f', now + window), window_name)
local sequence = redis.call('HINCRBY', numbers_key, 'sequence', 1)

-- The time (ms): as it was given, or by this server's clock.
--
-- Needs: given_now ('' for the clock). Makes: now.

local now = tonumber(given_now)
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

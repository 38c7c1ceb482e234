-- From now on every request is counted here; how many there were before is not known. Unless that has begun already.
--
-- KEYS  1 limits:since  hash: at (ms), registrations, server
-- ARGV  1 the server: its run id and its replication id
--       2 how many accounts were registered in the hour before, '' where there are none: then nothing can have been lost

if redis.call('EXISTS', KEYS[1]) == 0 then
  local time, at = redis.call('TIME'), '0'
  if ARGV[2] ~= '' then
    at = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  end
  redis.call('HSET', KEYS[1], 'at', at, 'registrations', tonumber(ARGV[2]) or 0, 'server', ARGV[1])
end
return 1

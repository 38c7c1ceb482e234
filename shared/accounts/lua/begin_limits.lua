-- From now on every request is counted here; how many there were before is not known. Unless that has begun already.
--
-- KEYS  1 limits:since  hash: at (ms), registrations, server
-- ARGV  1 the server: its run id and its replication id
--       2 how many accounts were registered in the hour before, '' where there are none: then nothing can have been lost

if #KEYS ~= 1 or #ARGV ~= 2 then
  return redis.error_reply('ERR begin_limits takes 1 key and 2 arguments')
end
local since_key = KEYS[1]
local server, registrations = unpack(ARGV)

if redis.call('EXISTS', since_key) == 0 then
  local time, at = redis.call('TIME'), '0'
  if registrations ~= '' then
    at = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  end
  redis.call('HSET', since_key, 'at', at, 'registrations', tonumber(registrations) or 0, 'server', server)
end
return 1

-- Whether the caller is the one who does what one of several has to do, for a while.
--
-- KEYS  1 string: somebody does it. TTL
-- ARGV  1 TTL of it (ms)
-- Answers 1, or 0 when somebody else does.

if #KEYS ~= 1 or #ARGV ~= 1 then
  return redis.error_reply('ERR claim takes 1 key and 1 argument')
end
local claimed = KEYS[1]
local ttl = ARGV[1]

-- Redis ends a TTL by the clock on the wall: longer than it was given it can only be after that was set back.
if redis.call('PTTL', claimed) > tonumber(ttl) then
  redis.call('DEL', claimed)
end
return redis.call('SET', claimed, '1', 'NX', 'PX', ttl) and 1 or 0

-- Whether the caller is the one who does what one of several has to do, for a while.
--
-- KEYS  1 string: somebody does it. TTL
-- ARGV  1 TTL of it (ms)
-- Answers 1, or 0 when somebody else does.

-- Redis ends a TTL by the clock on the wall: longer than it was given it can only be after that was set back.
if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[1]) then
  redis.call('DEL', KEYS[1])
end
return redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) and 1 or 0

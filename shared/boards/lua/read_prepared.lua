-- The prepared board.
--
-- KEYS  1 cached_top_<n>  string: a document. TTL
-- ARGV  1 TTL of it (ms)
-- Answers the document, or nothing when there is none

-- Redis ends a TTL by the clock on the wall: longer than it was given it can only be after that was set back.
if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[1]) then
  return false
end
return redis.call('GET', KEYS[1])

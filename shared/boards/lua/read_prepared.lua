-- The prepared board.
--
-- KEYS  1 cached_top_<n>  string: a document. TTL
-- ARGV  1 TTL of it (ms)
-- Answers the document, or nothing when there is none

if #KEYS ~= 1 or #ARGV ~= 1 then
  return redis.error_reply('ERR read_prepared takes 1 key and 1 argument')
end
local document = KEYS[1]
local ttl = ARGV[1]

-- Redis ends a TTL by the clock on the wall: longer than it was given it can only be after that was set back.
if redis.call('PTTL', document) > tonumber(ttl) then
  return false
end
return redis.call('GET', document)

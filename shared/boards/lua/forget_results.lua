-- Drop first results whose time is over. A key that was used again since stays: its new result has an entry of its own.
--
-- KEYS  1 results  stream: keys of first results  2.. user:<id>:result:*  hash, one for each entry
-- ARGV  1 results from up to this instant (ms) go  2.. ids of the entries, in the same order
-- Answers how many entries.

for place = 2, #KEYS do
  local at = redis.call('HGET', KEYS[place], 'at')
  if at and tonumber(at) <= tonumber(ARGV[1]) then
    redis.call('UNLINK', KEYS[place])
  end
end
return redis.call('XDEL', KEYS[1], unpack(ARGV, 2))

-- Drop first results whose time is over. A key that was used again since stays: its new result has an entry of its own.
--
-- KEYS  1 results  stream: keys of first results  2.. user:<id>:result:*  hash, one for each entry
-- ARGV  1 results from up to this instant (ms) go  2.. ids of the entries, in the same order
-- Answers how many entries.

if #KEYS < 2 or #ARGV ~= #KEYS then
  return redis.error_reply('ERR forget_results takes a key and an argument for each result, beside one of either')
end
local results = KEYS[1]
local until_ms = ARGV[1]

for place = 2, #KEYS do
  local at = redis.call('HGET', KEYS[place], 'at')
  if at and tonumber(at) <= tonumber(until_ms) then
    redis.call('UNLINK', KEYS[place])
  end
end
return redis.call('XDEL', results, unpack(ARGV, 2))

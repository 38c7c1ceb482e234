-- Keep first results that Redis lost; those that are there stay.
--
-- KEYS  1 results  stream: keys of first results  2.. user:<id>:result:*  hash, one for each result
-- ARGV  for each result, in the same order: user id, key id, increment, score, rank from 0, at (ms), request id
-- Answers how many were not there.

if #KEYS < 2 or #ARGV ~= 7 * (#KEYS - 1) then
  return redis.error_reply('ERR restore_results takes a key and seven arguments for each result, beside one key')
end
local results = KEYS[1]

local restored = 0
for place = 2, #KEYS do
  local first = 7 * (place - 2)
  if redis.call('EXISTS', KEYS[place]) == 0 then
    redis.call(
      'HSET', KEYS[place],
      'increment', ARGV[first + 3], 'score', ARGV[first + 4], 'rank', ARGV[first + 5], 'at', ARGV[first + 6],
      'request_id', ARGV[first + 7]
    )
    redis.call('XADD', results, '*', 'user_id', ARGV[first + 1], 'key_id', ARGV[first + 2])
    restored = restored + 1
  end
end
return restored

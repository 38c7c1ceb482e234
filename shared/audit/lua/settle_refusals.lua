-- Drop refusals that are recorded.
--
-- KEYS  1 refusals:taken  2 refusals:batch
-- ARGV  1 id of the batch
-- Another batch that was taken meanwhile stays.

if redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('DEL', KEYS[1], KEYS[2])
end

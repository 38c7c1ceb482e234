-- Set the refusals counted until now aside to be recorded, unless earlier ones wait for that still.
--
-- KEYS  1 refusals  2 refusals:taken  3 refusals:batch
-- ARGV  1 id of the batch, should a new one be taken
-- Answers the id of the batch and its fields and values, or nothing when there are no refusals.

if redis.call('EXISTS', KEYS[2]) == 0 then
  if redis.call('EXISTS', KEYS[1]) == 0 then
    return {}
  end
  redis.call('RENAME', KEYS[1], KEYS[2])
  redis.call('SET', KEYS[3], ARGV[1])
end
return { redis.call('GET', KEYS[3]), redis.call('HGETALL', KEYS[2]) }

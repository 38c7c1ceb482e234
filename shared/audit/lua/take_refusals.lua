-- Set the refusals counted until now aside to be recorded, unless earlier ones wait for that still.
--
-- KEYS  1 refusals  2 refusals:taken  3 refusals:batch
-- ARGV  1 id of the batch, should a new one be taken
-- Answers the id of the batch and its fields and values, or nothing when there are no refusals.

if #KEYS ~= 3 or #ARGV ~= 1 then
  return redis.error_reply('ERR take_refusals takes 3 keys and 1 argument')
end
local refusals, taken, batch = unpack(KEYS)
local new_batch_id = ARGV[1]

if redis.call('EXISTS', taken) == 0 then
  if redis.call('EXISTS', refusals) == 0 then
    return {}
  end
  redis.call('RENAME', refusals, taken)
  redis.call('SET', batch, new_batch_id)
end
return { redis.call('GET', batch), redis.call('HGETALL', taken) }

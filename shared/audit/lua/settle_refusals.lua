-- Drop refusals that are recorded.
--
-- KEYS  1 refusals:taken  2 refusals:batch
-- ARGV  1 id of the batch
-- Another batch that was taken meanwhile stays.

if #KEYS ~= 2 or #ARGV ~= 1 then
  return redis.error_reply('ERR settle_refusals takes 2 keys and 1 argument')
end
local taken, batch = unpack(KEYS)
local batch_id = ARGV[1]

if redis.call('GET', batch) == batch_id then
  redis.call('DEL', taken, batch)
end

-- An attempt came to nothing before any password was looked at: it was no failure of anybody's.
--
-- KEYS  as attempt_login
-- ARGV  1 network  2 '1' when the network is counted (3)
-- Answers  how many failures of 1 are counted
-- A delay that began with it, or meanwhile, stays: else attempts that are sure to come to nothing would end those of real guesses.

if #KEYS ~= 4 or #ARGV ~= 2 then
  return redis.error_reply('ERR withdraw_login takes 4 keys and 2 arguments')
end
local networks = KEYS[4]
local network, counts_network = unpack(ARGV)

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local counted = { 1 }
if tonumber(redis.call('ZSCORE', networks, network) or 0) <= now_ms then
  counted = counts_network == '1' and { 1, 2, 3 } or { 1, 2 }
end
local left
for _, place in ipairs(counted) do
  local count = redis.call('HINCRBY', KEYS[place], 'count', -1)
  if count <= 0 then
    redis.call('DEL', KEYS[place])
  end
  left = left or math.max(count, 0)
end
return left

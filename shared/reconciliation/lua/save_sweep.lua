-- Note how far the rolling comparison of a period's open season has come, where the board is here.
--
-- KEYS  1 board:<id>  hash: version; `sweep:<period>`
-- ARGV  1 period  2 the position
-- Answers 1, or 0 when the board is not here.

if #KEYS ~= 1 or #ARGV ~= 2 then
  return redis.error_reply('ERR save_sweep takes 1 key and 2 arguments')
end
local board = KEYS[1]
local period, position = unpack(ARGV)

if redis.call('HEXISTS', board, 'version') == 0 then
  return 0
end
redis.call('HSET', board, 'sweep:' .. period, position)
return 1

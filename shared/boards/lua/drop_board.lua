-- Take a board, and every season of it that may be here, out of Redis.
--
-- KEYS  1 board:<id>  hash: as in put_board.lua
-- ARGV  none
-- Answers 1, or 0 when it is not here.

if #KEYS ~= 1 or #ARGV ~= 0 then
  return redis.error_reply('ERR drop_board takes 1 key and no arguments')
end
local board = KEYS[1]

--!drop_seasons
return redis.call('UNLINK', board)

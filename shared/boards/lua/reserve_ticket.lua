-- Have an action ticket be spent on a board of another shard: there alone, however often it is asked. Tickets are of no board, and the
-- shard of `main` knows of them all.
--
-- KEYS  1 user:<id>:tickets    sorted set: request ids of spent tickets, until when (ms) each must be known; beside the id of one that is
--                              reserved `<request id> <board id>`
--       2 rate-windows         sorted set: players with 1, from when on (ms) all in it is past
--       3 leaderboard:whole    string: as in update_score.lua
--       4 leaderboard:numbers  hash: as in update_score.lua
-- ARGV  1 request id of the ticket  2 board id  3 until when (ms) it must be known that it is spent  4 user id
--       5 for how long (ms) after a rebuild one may have been spent before  6 '1' when the ledger was asked for the request id and does not
--         have it  7 now (ms), or '' for Redis's own clock
-- Answers 'ok', 'spent' when it was spent elsewhere
--      or a question: 'epoch' none is open, 'history' ask the ledger for the request id
--      or a refusal: 'rebuilding', 'lost' it is not known yet what was spent

if #KEYS ~= 4 or #ARGV ~= 7 then
  return redis.error_reply('ERR reserve_ticket takes 4 keys and 7 arguments')
end
local tickets, rate_windows, whole, numbers_key = unpack(KEYS)
local request_id, board_id, known_until, user_id, spent_before, not_in_ledger, given_now = unpack(ARGV)

local mark = redis.call('GET', whole)
if not mark then
  return 'rebuilding'
end
local numbers = redis.call('HMGET', numbers_key, 'open', 'restored', 'windows_lost_until')
if not numbers[1] then
  return 'epoch'
end
local reserved = request_id .. ' ' .. board_id
local known = redis.call('ZMSCORE', tickets, request_id, reserved)
if known[1] then
  return known[2] and 'ok' or 'spent'
end
--!now
if not_in_ledger ~= '1' and numbers[2] ~= mark and now < tonumber(mark) + tonumber(spent_before) then
  return 'history'
end
if numbers[3] and now < tonumber(numbers[3]) then
  return 'lost'
end
redis.call('ZADD', tickets, known_until, request_id, known_until, reserved)
redis.call('ZADD', rate_windows, 'GT', known_until, user_id)
return 'ok'

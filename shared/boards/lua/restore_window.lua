-- Add to a player's window and spent tickets what the ledger has of the last minutes. Instants that both have count once.
--
-- KEYS  1 user:<id>:requests  list: instants (ms) of the accepted updates, newest first; or that of a board
--       2 user:<id>:tickets   sorted set: request ids of spent tickets, until when (ms) each must be known
--       3 rate-windows        sorted set: players with 1 or 2, from when on (ms) all in them is past
-- ARGV  1 name of 1 in rate-windows: user id, or `<user id> <board id>`  2 length (ms) of the window
--       3 for how long (ms) a spent ticket must be known  4.. instant (ms) and request id of each update, newest first
-- Answers how many instants the window has.

if #KEYS ~= 3 or #ARGV < 5 or #ARGV % 2 == 0 then
  return redis.error_reply('ERR restore_window takes 3 keys, 3 arguments, and two for each update')
end
local requests, tickets, rate_windows = unpack(KEYS)
local name, window, known_ms = unpack(ARGV, 1, 3)

local missing = {}
for _, instant in ipairs(redis.call('LRANGE', requests, 0, -1)) do
  missing[instant] = (missing[instant] or 0) - 1
end
local instants = redis.call('LRANGE', requests, 0, -1)
local known_until = {}
for place = 4, #ARGV, 2 do
  local instant = ARGV[place]
  missing[instant] = (missing[instant] or 0) + 1
  if missing[instant] > 0 then
    instants[#instants + 1] = instant
  end
  known_until[#known_until + 1] = string.format('%.0f', instant + known_ms)
  known_until[#known_until + 1] = ARGV[place + 1]
end
table.sort(instants, function(one, other) return tonumber(one) > tonumber(other) end)
redis.call('DEL', requests)
for _, instant in ipairs(instants) do
  redis.call('RPUSH', requests, instant)
end
for place = 1, #known_until, 2 do
  redis.call('ZADD', tickets, known_until[place], known_until[place + 1])
end
redis.call('ZADD', rate_windows, 'GT', string.format('%.0f', instants[1] + window), name)
redis.call('ZADD', rate_windows, 'GT', known_until[1], string.match(name, '^%S+'))
return #instants

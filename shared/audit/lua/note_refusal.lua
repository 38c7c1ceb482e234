-- Count one refusal, within bounds that hold whatever comes.
--
-- KEYS  1 refusals        hash: kind -> count, first and last instant (ms), address and request id of the first one
--       2 refusals:kinds  hash of the current minute: minute, all: kinds in it, of <network>: kinds of that one
-- ARGV  1 kind  2 kind without what the client chooses but its address  3 kind when there is no room  4 address prefix
--       5 source ip  6 request id  7 kinds of an address in a minute  8 kinds in a minute  9 kinds in all
-- Kinds of 1 and 2 stand under their minute, 3 under '*': however long nobody takes them, the last bound holds.

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local minute = string.format('%.0f', math.floor(time[1] / 60))

local function counted(kind)
  local value = redis.call('HGET', KEYS[1], kind)
  if not value then
    return false
  end
  local count, first, rest = string.match(value, '^(%d+)\n(%d+)\n%d+(\n.*)$')
  if not count then
    return false
  end
  redis.call('HSET', KEYS[1], kind, string.format('%.0f', count + 1) .. '\n' .. first .. '\n' .. now .. rest)
  return true
end

local function begin(kind)
  redis.call('HSET', KEYS[1], kind, table.concat({ 1, now, now, ARGV[5], ARGV[6] }, '\n'))
end

local kind = minute .. '\n' .. ARGV[1]
if counted(kind) then
  return
end
-- Counted on while the kinds themselves are taken away: however often that happens, a minute makes no more rows.
if redis.call('HGET', KEYS[2], 'minute') ~= minute then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], 'minute', minute)
end
local address = 'of ' .. ARGV[4]
if tonumber(redis.call('HGET', KEYS[2], address) or 0) >= tonumber(ARGV[7]) then
  kind = minute .. '\n' .. ARGV[2]
  if counted(kind) then
    return
  end
end
if tonumber(redis.call('HGET', KEYS[2], 'all') or 0) >= tonumber(ARGV[8]) or redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[9]) then
  kind = '*\n' .. ARGV[3]
  if not counted(kind) then
    begin(kind)
  end
  return
end
redis.call('HINCRBY', KEYS[2], address, 1)
redis.call('HINCRBY', KEYS[2], 'all', 1)
begin(kind)

-- Count one refusal, within bounds that hold whatever comes.
--
-- KEYS  1 refusals        hash: kind -> count, first and last instant (ms), address and request id of the first one
--       2 refusals:kinds  hash of the current minute: minute, all: kinds in it, of <network>: kinds of that one
-- ARGV  1 kind  2 kind without what the client chooses but its address  3 kind when there is no room  4 address prefix
--       5 source ip  6 request id  7 kinds of an address in a minute  8 kinds in a minute  9 kinds in all
-- Kinds of 1 and 2 stand under their minute, 3 under '*': however long nobody takes them, the last bound holds.

if #KEYS ~= 2 or #ARGV ~= 9 then
  return redis.error_reply('ERR note_refusal takes 2 keys and 9 arguments')
end
local refusals, kinds = unpack(KEYS)
local own_kind, address_kind, left_out_kind, prefix, source_ip, request_id, max_of_address, max_of_minute, max_in_all
  = unpack(ARGV)

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local minute = string.format('%.0f', math.floor(time[1] / 60))

local function counted(kind)
  local value = redis.call('HGET', refusals, kind)
  if not value then
    return false
  end
  local count, first, rest = string.match(value, '^(%d+)\n(%d+)\n%d+(\n.*)$')
  if not count then
    return false
  end
  redis.call('HSET', refusals, kind, string.format('%.0f', count + 1) .. '\n' .. first .. '\n' .. now .. rest)
  return true
end

local function begin(kind)
  redis.call('HSET', refusals, kind, table.concat({ 1, now, now, source_ip, request_id }, '\n'))
end

local kind = minute .. '\n' .. own_kind
if counted(kind) then
  return
end
-- Counted on while the kinds themselves are taken away: however often that happens, a minute makes no more rows.
if redis.call('HGET', kinds, 'minute') ~= minute then
  redis.call('DEL', kinds)
  redis.call('HSET', kinds, 'minute', minute)
end
local address = 'of ' .. prefix
if tonumber(redis.call('HGET', kinds, address) or 0) >= tonumber(max_of_address) then
  kind = minute .. '\n' .. address_kind
  if counted(kind) then
    return
  end
end
if tonumber(redis.call('HGET', kinds, 'all') or 0) >= tonumber(max_of_minute) or redis.call('HLEN', refusals) >= tonumber(max_in_all) then
  kind = '*\n' .. left_out_kind
  if not counted(kind) then
    begin(kind)
  end
  return
end
redis.call('HINCRBY', kinds, address, 1)
redis.call('HINCRBY', kinds, 'all', 1)
begin(kind)

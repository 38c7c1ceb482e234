-- A board leaves this Redis for another shard: from now on nobody enters here, and nobody puts it here who did not see that.
-- What its entries came to is in the ledger, or waits in the outbox.
--
-- KEYS  1 board:<id>  hash: as in put_board.lua; afterwards `version`, `left`: the shard that it went to, and `reset:<period>` as before
-- ARGV  1 version that was read, '' for none  2 version from now on  3 the shard that it goes to
-- Answers {'ok', fields and values as they were}, or {'other'} when the board is another one by now.

if #KEYS ~= 1 or #ARGV ~= 3 then
  return redis.error_reply('ERR leave_board takes 1 key and 3 arguments')
end
local board = KEYS[1]
local version, new_version, shard = unpack(ARGV)

if (redis.call('HGET', board, 'version') or '') ~= version then
  return { 'other' }
end
--!drop_seasons
for place = 1, #fields, 2 do
  if not string.find(fields[place], '^reset:') then
    redis.call('HDEL', board, fields[place])
  end
end
redis.call('HSET', board, 'version', new_version, 'left', shard)
return { 'ok', unpack(fields) }

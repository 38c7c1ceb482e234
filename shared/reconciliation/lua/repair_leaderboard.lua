-- Change the board by differences, if it is still the one that was looked at, and no other run has begun to look at it.
--
-- KEYS  1 leaderboard  2 leaderboard:whole  3 leaderboard:sweep  4 leaderboard:hidden
-- ARGV  1 the mark it had  2 the number of the run  3 command that changes a score
--       4.. of each player three: member; difference, or '' to take the member off; '1' for one who is hidden when they are nowhere
-- Returns 'repaired'; 'another board' when it was lost or rebuilt since, 'another run': then nothing was changed.

if #KEYS ~= 4 or #ARGV < 6 or #ARGV % 3 ~= 0 then
  return redis.error_reply('ERR repair_leaderboard takes 4 keys, 3 arguments, and three for each player')
end
local board, whole, sweep, hidden = unpack(KEYS)
local mark, run_number, change_command = unpack(ARGV, 1, 3)

if redis.call('GET', whole) ~= mark then
  return 'another board'
end
if redis.call('HGET', sweep, 'run_number') ~= run_number then
  return 'another run'
end
for place = 4, #ARGV, 3 do
  local member, difference, is_hidden = unpack(ARGV, place, place + 2)
  if difference == '' then
    redis.call('ZREM', board, member)
    redis.call('ZREM', hidden, member)
  else
    local where = is_hidden == '1' and hidden or board
    if redis.call('ZSCORE', hidden, member) then
      where = hidden
    elseif redis.call('ZSCORE', board, member) then
      where = board
    end
    redis.call(change_command, where, difference, member)
  end
end
return 'repaired'

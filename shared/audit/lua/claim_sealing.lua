-- Whether a run may add seals to the audit log: one at a time, so that the chain does not fork.
--
-- KEYS  1 audit:sealing  string: the run that may
-- ARGV  1 the run  2 for how long (ms) it may from now on; 0 when it has ended
-- Answers 1, or 0 when it is another run's turn.

local holder = redis.call('GET', KEYS[1])
local turn = tonumber(ARGV[2])
-- A turn of which more is left than it was given is over: the clock was set back.
if holder and holder ~= ARGV[1] and (turn == 0 or redis.call('PTTL', KEYS[1]) <= turn) then
  return 0
end
if turn > 0 then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
else
  redis.call('DEL', KEYS[1])
end
return 1

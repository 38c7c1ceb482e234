-- Whether a run may add seals to the audit log: one at a time, so that the chain does not fork.
--
-- KEYS  1 audit:sealing  string: the run that may
-- ARGV  1 the run  2 for how long (ms) it may from now on; 0 when it has ended
-- Answers 1, or 0 when it is another run's turn.

if #KEYS ~= 1 or #ARGV ~= 2 then
  return redis.error_reply('ERR claim_sealing takes 1 key and 2 arguments')
end
local sealing = KEYS[1]
local run, turn_ms = unpack(ARGV)

local holder = redis.call('GET', sealing)
local turn = tonumber(turn_ms)
-- A turn of which more is left than it was given is over: the clock was set back.
if holder and holder ~= run and (turn == 0 or redis.call('PTTL', sealing) <= turn) then
  return 0
end
if turn > 0 then
  redis.call('SET', sealing, run, 'PX', turn_ms)
else
  redis.call('DEL', sealing)
end
return 1

-- Whether the caller knows the board as it is: definition and seasons. `main`, whose version is '', never changes.
--
-- Needs: board, whole (keys), version, known_until (arguments). Makes: now. Returns nothing while no places are known, or {'board', now}.

if redis.call('EXISTS', whole) == 0 then
  return false
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if version ~= '' and (redis.call('HGET', board, 'version') ~= version or now >= tonumber(known_until)) then
  return { 'board', now }
end

-- Count a request against every limit of its kind, or against none when one of them is reached (generic cell rate algorithm).
--
-- KEYS  1 limits:since  hash: at (ms), since when every request is counted here; registrations, how many were made in the hour before
--       2.. one for each limit, string: the instant (ms) at which nothing of it will be used any more. TTL until then.
-- ARGV  1 '1' for registrations  then, for each limit in the same order: requests, window (ms)
-- Answers {0} when the request may be made, otherwise {the ms to wait}, and then for each limit how many are left, and the ms until there
--         is another one; {-1} as a question: since when are requests counted?
-- What was counted before that is lost: as many registrations as there were are taken for used, and of all else all but one.

if #KEYS == 0 or #ARGV ~= 2 * #KEYS - 1 then
  return redis.error_reply('ERR admit_request takes a key and an argument, and a key and two arguments for each limit')
end
local since_key = KEYS[1]
local is_registration = ARGV[1]

local since = redis.call('HMGET', since_key, 'at', 'registrations')
if not since[1] then
  return { -1 }
end
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000

local used, wait = {}, 0 -- used[place]: until when its limit is used, from now on (ms)
for place = 2, #KEYS do
  local requests, window = tonumber(ARGV[2 * place - 2]), tonumber(ARGV[2 * place - 1])
  local lost = math.min(is_registration == '1' and tonumber(since[2]) or requests - 1, requests)
  -- A clock that was set back makes nobody wait longer than for a window.
  local used_until = math.max(tonumber(redis.call('GET', KEYS[place]) or 0), since[1] + lost * window / requests)
  used[place] = math.min(math.max(used_until - now, 0), window)
  wait = math.max(wait, used[place] + window / requests - window)
end
local is_admitted = wait <= 0.001
local answer = { is_admitted and 0 or math.ceil(wait) }
for place = 2, #KEYS do
  local requests, window = tonumber(ARGV[2 * place - 2]), tonumber(ARGV[2 * place - 1])
  local each = window / requests
  if is_admitted then
    used[place] = used[place] + each
    redis.call('SET', KEYS[place], string.format('%.3f', now + used[place]), 'PX', string.format('%.0f', math.ceil(used[place])))
  end
  local left = math.floor((window - used[place] + 0.001) / each)
  answer[#answer + 1] = left
  answer[#answer + 1] = left == requests and 0 or math.max(math.ceil((left + 1) * each - (window - used[place])), 1)
end
return answer

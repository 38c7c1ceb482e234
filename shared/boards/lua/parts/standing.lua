-- Where a score and a member stand in a sorted set.
--
-- Needs: descending, span (command that answers members by their ranks), rank_of (command that answers a rank).
-- Makes: better, as_good, up_to.

-- How many rows have a better score.
local function better(scores, score)
  if descending then
    return redis.call('ZCOUNT', scores, '(' .. score, '+inf')
  end
  return redis.call('ZCOUNT', scores, '-inf', '(' .. score)
end

-- How many rows have this score or a better one.
local function as_good(scores, score)
  if descending then
    return redis.call('ZCOUNT', scores, score, '+inf')
  end
  return redis.call('ZCOUNT', scores, '-inf', score)
end

-- Whether one member stands before another one of the same score: by bytes, as Redis orders them, whatever the locale.
local function stands_before(one, other)
  for at = 1, math.min(#one, #other) do
    local left, right = one:byte(at), other:byte(at)
    if left ~= right then
      return (left > right) == descending
    end
  end
  return (#one > #other) == descending and #one ~= #other
end

-- How many rows stand up to a place, its own included, whether or not anybody stands there now.
local function up_to(scores, score, member)
  local there = redis.call('ZSCORE', scores, member)
  if there and tonumber(there) == tonumber(score) then
    return redis.call(rank_of, scores, member) + 1
  end
  local low, high = better(scores, score), as_good(scores, score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if stands_before(redis.call(span, scores, middle, middle)[1], member) then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

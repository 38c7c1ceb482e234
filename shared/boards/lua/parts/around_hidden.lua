-- Members and scores around a player who stands beside a sorted set, as if they stood in it. After standing.lua.
--
-- Makes: around_hidden; it answers how many rows stand before the first one, and the rows.

local function around_hidden(scores, score, member, neighbours)
  local place = up_to(scores, score, member)
  local first, rows = math.max(place - neighbours, 0), {}
  local function add(from, to)
    for _, value in ipairs(from <= to and redis.call(span, scores, from, to, 'WITHSCORES') or {}) do
      rows[#rows + 1] = value
    end
  end
  add(first, place - 1)
  rows[#rows + 1], rows[#rows + 2] = member, score
  add(place, place + neighbours - 1)
  return first, rows
end

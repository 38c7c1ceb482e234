-- The whole of an update in one atomic step: either all of it happened or nothing.
--
-- KEYS  1 leaderboard         sorted set: the board's member of each player, with its score
--       2 leaderboard:whole   string: there when the board holds all that the ledger does; since when (ms) first results are kept here
--       3 leaderboard:numbers hash: epoch and sequence of the newest accepted update, `open` while there may be another one;
--                             `restored`: the value of 2 since when what was lost before is here again;
--                             `windows_lost_until`: until when (ms) 9 may lack updates that Redis lost
--       4 outbox              stream: accepted updates that the ledger does not have yet
--       5 rate-windows        sorted set: players with 9 or 11, from when on (ms) all in them is past
--       6 ended-sessions      sorted set: ids of sessions that ended; and '*', which says that all of them are here
--       7 results             stream: keys of first results, in the order in which they were kept
--       8 user:<id>:profile   hash: role, api_key (SHA-256), disabled (0 or 1)
--       9 user:<id>:requests  list: instants (ms) of the accepted updates, newest first, at most `limit`
--      10 user:<id>:result:*  hash: first result of this idempotency key
--      11 user:<id>:tickets   sorted set: request ids of spent tickets, until when (ms) each must be known
--      12 leaderboard:hidden  sorted set: members of hidden players, asked only for who is not on the board
-- ARGV  1 command that changes a score  2 command that answers a rank  3 the highest score that the ledger can record
--       4 limit  5 window (ms)  6 for how long (ms) the first result of an idempotency key is kept
--       7 for how long (ms) beyond its end a ticket's being spent must be known  8 for how long (ms) after a rebuild one may have been
--         spent before
--       9 member  10 user id  11 request id  12 increment  13 source ip  14 hash of the API key sent, or ''
--      15 now (ms), or '' for Redis's own clock  16 '1' when the ledger was asked for key and request id and has neither
--      17 when the ticket with this request id expires (ms), or '' without one
--      18 session id, or '' for a token that belongs to no session of ours  19 id of the idempotency key, or ''
--      20 the process that will publish the event  21 board id
-- Answers {'ok', score, rank from 0, now, remaining, ms until the oldest leaves the window, replayed, request id, outbox id, epoch, sequence},
--      without the last three where replayed is 1 and the event does not wait in the outbox any more
--      or a question: {'epoch'} none is open, {'sessions'} ended ones are not known here, {'profile'} not cached, {'absent'} no member,
--      or one that is hidden for no reason that the profile knows, {'history'} ask the ledger for key and request id
--      or a refusal: {'rebuilding'}, {'ended'} the session, {'role'}, {'unknown'} disabled, {'api_key'}, {'reused'}, {'spent'}, {'expired'},
--      {'bounds'} the ledger could not record the score, {'limited', ms until the next is allowed}, {'lost', ms until it may be known whether it is allowed}

if #KEYS ~= 12 or #ARGV ~= 21 then
  return redis.error_reply('ERR update_score takes 12 keys and 21 arguments')
end
local board, whole, numbers_key, outbox, rate_windows, ended_sessions, results, profile_key, requests, result, tickets, hidden
  = unpack(KEYS)
local change_command, rank_command, max_score, limit, window, keep, spent_margin, spent_before,
  member, user_id, request_id, increment, source_ip, api_key, given_now, not_in_ledger, ticket_expires, session_id, key_id, process,
  board_id = unpack(ARGV)

--!admission

local where = board
local before = tonumber(redis.call('ZSCORE', board, member))
if not before then
--!hidden_here
  -- Whoever is hidden goes on playing, out of sight.
  before = is_hidden and tonumber(redis.call('ZSCORE', hidden, member))
  if not before then
    return { 'absent' }
  end
  where = hidden
end
if math.abs(before + tonumber(increment)) > tonumber(max_score) then
  return { 'bounds' }
end

local score = redis.call(change_command, where, increment, member)
if where == hidden then
  redis.call('ZADD', board, score, member) -- for as long as this step takes: where they would stand
end
local rank = redis.call(rank_command, board, member)
if where == hidden then
  redis.call('ZREM', board, member)
end
local window_name = user_id
--!accepted

-- The same fields in every entry: the stream then stores their names once.
local entry = redis.call(
  'XADD', outbox, '*',
  'request_id', request_id, 'user_id', user_id, 'increment', increment, 'new_score', score,
  'accepted_at', at, 'source_ip', source_ip,
  'epoch', numbers[2], 'sequence', sequence, 'key_id', key_id, 'rank', rank + 1, 'process', process
)
if is_keyed then
  redis.call(
    'HSET', result,
    'increment', increment, 'score', score, 'rank', rank, 'at', at, 'request_id', request_id
  )
  -- No TTL, for the same reason: a result that was taken away early would let its key count again.
  redis.call('XADD', results, '*', 'user_id', user_id, 'key_id', key_id)
end
local reset = (oldest or now) + window - now
return { 'ok', score, rank, at, limit - used - 1, reset, 0, request_id, entry, tonumber(numbers[2]), sequence }

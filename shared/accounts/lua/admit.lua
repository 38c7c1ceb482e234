-- Whether a caller may come in: the session goes on and the account is not disabled. And which role the account has now.
--
-- KEYS  1 ended-sessions     sorted set: ids of sessions that ended; and '*', which says that all of them are here
--       2 user:<id>:profile  hash: role, disabled (0 or 1)
-- ARGV  1 session id, or '' for a token that belongs to no session of ours  2 '1' when the database has no such account
-- Answers {'ok', role, or '' without an account}
--      or a question: {'sessions'} ended ones are not known here, {'profile'} not cached
--      or a refusal: {'ended'}, {'unknown'} disabled

if ARGV[1] ~= '' then
  local ended = redis.call('ZMSCORE', KEYS[1], ARGV[1], '*')
  if ended[1] then
    return { 'ended' }
  end
  if not ended[2] then
    return { 'sessions' }
  end
end
local profile = redis.call('HMGET', KEYS[2], 'role', 'disabled')
if not profile[1] and ARGV[2] ~= '1' then
  return { 'profile' }
end
if profile[2] == '1' then
  return { 'unknown' }
end
return { 'ok', profile[1] or '' }

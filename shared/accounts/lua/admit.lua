-- Whether a caller may come in: the session goes on and the account is not disabled. And which role the account has now.
--
-- KEYS  1 ended-sessions     sorted set: ids of sessions that ended; and '*', which says that all of them are here
--       2 user:<id>:profile  hash: role, disabled (0 or 1)
-- ARGV  1 session id, or '' for a token that belongs to no session of ours  2 '1' when the database has no such account
-- Answers {'ok', role, or '' without an account}
--      or a question: {'sessions'} ended ones are not known here, {'profile'} not cached
--      or a refusal: {'ended'}, {'unknown'} disabled

if #KEYS ~= 2 or #ARGV ~= 2 then
  return redis.error_reply('ERR admit takes 2 keys and 2 arguments')
end
local ended_sessions, profile_key = unpack(KEYS)
local session_id, no_account = unpack(ARGV)

--!session
local profile = redis.call('HMGET', profile_key, 'role', 'disabled')
if not profile[1] and no_account ~= '1' then
  return { 'profile' }
end
if profile[2] == '1' then
  return { 'unknown' }
end
return { 'ok', profile[1] or '' }

-- Whether the session of a token goes on.
--
-- Needs: ended_sessions (key), session_id (argument). Returns from the script with {'ended'}, or the question {'sessions'}.

if session_id ~= '' then
  local ended = redis.call('ZMSCORE', ended_sessions, session_id, '*')
  if ended[1] then
    return { 'ended' }
  end
  if not ended[2] then
    return { 'sessions' }
  end
end

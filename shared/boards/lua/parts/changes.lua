-- Whose profile was changed since an entry of the stream.
--
-- Needs: changed_profiles (key), since (argument). Makes: changes, id and player of each entry.

local changes = {}
for _, entry in ipairs(redis.call('XRANGE', changed_profiles, since, '+')) do
  changes[#changes + 1] = entry[1]
  changes[#changes + 1] = entry[2][2]
end

-- Whether a moderator has hidden the player on the board. After admission.lua. Needs: board_id (argument). Makes: is_hidden.

local is_hidden = false
if profile[4] and profile[4] ~= '' then
  local hidden_on = ' ' .. profile[4] .. ' '
  is_hidden = string.find(hidden_on, ' * ', 1, true) ~= nil or string.find(hidden_on, ' ' .. board_id .. ' ', 1, true) ~= nil
end

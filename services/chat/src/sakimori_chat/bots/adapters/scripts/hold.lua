-- Go on holding the sessions of bots; one that nobody holds (Valkey was emptied) is held again.
-- KEYS: bot:session:<bot>      ARGV: 1 ms to hold  2.. the session of each key
-- Answers the places (from 1) of keys that another session holds.
local lost = {}
for i, key in ipairs(KEYS) do
  local held = redis.call('GET', key)
  if held and held ~= ARGV[1 + i] then
    table.insert(lost, i)
  else
    redis.call('SET', key, ARGV[1 + i], 'PX', ARGV[1])
  end
end
return lost

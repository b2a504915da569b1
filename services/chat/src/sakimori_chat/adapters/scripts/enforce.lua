-- Set or lift blocks; a decision older than the one in force changes nothing, an automatic one never shortens.
-- KEYS: the block keys      ARGV, three for each key: decided at (us), ms left (0 lifts), 1 when it may shorten
for i, key in ipairs(KEYS) do
  local decided_at, ms, may_shorten = ARGV[3 * i - 2], tonumber(ARGV[3 * i - 1]), ARGV[3 * i] == '1'
  local held = redis.call('GET', key)
  if not held or tonumber(held) <= tonumber(decided_at) then
    if ms == 0 then
      redis.call('DEL', key)
    elseif may_shorten or redis.call('PTTL', key) < ms then
      redis.call('SET', key, decided_at, 'PX', ms)
    end
  end
end

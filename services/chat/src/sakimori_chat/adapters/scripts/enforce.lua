-- Set or lift blocks. A decision older than the one in force changes nothing; an automatic one never takes time off a
-- longer automatic one, and neither time off nor lifts what an operator set.
-- KEYS: the block keys      ARGV, three for each key: decided at (us), ms left (0 lifts), 'a' automatic or 'o' operator
-- A block's value is "<decided at>:<a or o>".
for i, key in ipairs(KEYS) do
  local decided_at, ms, by = ARGV[3 * i - 2], tonumber(ARGV[3 * i - 1]), ARGV[3 * i]
  local held_at, held_by = string.match(redis.call('GET', key) or '0:a', '^(%d+):?(%a?)')
  if tonumber(held_at or 0) <= tonumber(decided_at) then
    local is_kept = by == 'a' and (redis.call('PTTL', key) >= ms and (ms > 0 or held_by == 'o'))
    if not is_kept then
      if ms == 0 then
        redis.call('DEL', key)
      else
        local kept_by = (held_by == 'o') and 'o' or by
        redis.call('SET', key, decided_at .. ':' .. kept_by, 'PX', ms)
      end
    end
  end
end

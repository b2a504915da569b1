-- Set or lift blocks and throttles. A decision older than the one in force, or than the last lift, changes nothing; an
-- automatic one never takes time off a longer automatic one, and neither time off nor lifts what an operator set.
-- KEYS: three for each measure: the block (or throttle), when it was lifted, the identity's step on the ladder of bans;
--       the last is chat:bans
-- ARGV, five for each: decided at (us), ms left (0 lifts), 'a' automatic or 'o' operator, kind and entity ('' for what
--       live connections need not know)
-- A block's value is "<decided at>:<a or o>". Every change is published for the live connections of all replicas.
local LIFT_KEPT_MS = 3600000 -- longer than a decision waits on the bus

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

for i = 1, (#KEYS - 1) / 3 do
  local key, lift, step = KEYS[3 * i - 2], KEYS[3 * i - 1], KEYS[3 * i]
  local decided_at, ms, by, kind, entity = unpack(ARGV, 5 * i - 4, 5 * i)
  ms = tonumber(ms)
  local left = redis.call('PTTL', key)
  local value = left ~= 0 and redis.call('GET', key) or '0:a' -- in its last millisecond it counts as gone
  local held_at, held_by = string.match(value, '^(%d+):?(%a?)')
  local lifted_at = tonumber(redis.call('GET', lift) or '') or 0
  local is_late = tonumber(decided_at) < math.max(tonumber(held_at or 0), lifted_at)
  local is_kept = by == 'a' and left ~= 0 and left >= ms and (ms > 0 or held_by == 'o')
  if not (is_late or is_kept) then
    if ms == 0 then
      redis.call('DEL', key, step)
      redis.call('ZREM', KEYS[#KEYS], key)
      redis.call('SET', lift, decided_at, 'PX', LIFT_KEPT_MS)
    else
      redis.call('SET', key, decided_at .. ':' .. ((held_by == 'o') and 'o' or by), 'PX', ms)
      list(KEYS[#KEYS], key, now, ms)
    end
    if kind ~= '' then
      redis.call('PUBLISH', 'chat:measures', cjson.encode({kind = kind, entity = entity, ms = ms}))
    end
  end
end

-- May this client post? Risk, blocks, new identities, rate, slow mode, in this order; counts the post when it gets past
-- all but the last. One step, so replicas and concurrent posts cannot slip between a check and its count.
-- The time is this server's: replicas' clocks differ, and one that is ahead would empty the others' windows.
-- KEYS: 1 risk:fp:F  2 block:ID  3 block:fp:F  4 block:ip:N  5 rate:ID  6 rate:fp:F  7 rate:ip:H
--       8..10 throttle:ID, :fp:F, :ip:N  11 step:ID  12 identities:H  13 newcomers:H  14 slow:ROOM:ID  15 mute:ID
--       16 chat:ROOM:recent  17 chat:bans        (F fingerprint, ID identity, N network, H hash of the network)
-- ARGV: 1 the identity  2 '1' where nothing may block  3 risk limit  4 window ms  5..7 posts a window of keys 5..7
--       8 posts a window of what is throttled  9 new identities  10 their window ms  11 identities that are remembered
--       12 slow mode ms  13 how many recent  14 ms after which a ban's step falls  15.. ms of each step
-- Answers {outcome, ms until another try, detail, step of the ban, is muted, recent}.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local is_exempt = ARGV[2] == '1'
local window = tonumber(ARGV[4])
local FIRST_STEP, DAY = 15, 86400000

local function refused(outcome, ms, detail, step)
  return {outcome, ms, detail or '', step or 0, 0, {}}
end

-- Milliseconds a key has left; 0 when there is none. One without expiry (set by hand) counts as a first ban's length.
local function left(key)
  local ms = redis.call('PTTL', key)
  if ms == -1 then return tonumber(ARGV[FIRST_STEP]) end
  return math.max(ms, 0)
end

-- Drop what has left the window of a list of instants, newest last; answers how many are in it.
local function slide(key, length)
  local oldest = tonumber(redis.call('LINDEX', key, 0))
  while oldest and oldest <= now - length do
    redis.call('LPOP', key)
    oldest = tonumber(redis.call('LINDEX', key, 0))
  end
  return redis.call('LLEN', key)
end

local function note(key, length)
  redis.call('RPUSH', key, string.format('%d', now))
  redis.call('PEXPIRE', key, length)
end

-- Ban the identity for its next step; answers the step and its length.
local function ban()
  local quiet = tonumber(ARGV[14])
  local step, ended = string.match(redis.call('GET', KEYS[11]) or '', '^(%d+):(%d+)$')
  step = tonumber(step) or 0
  if step > 0 then step = math.max(0, step - math.floor(math.max(0, now - ended) / quiet)) end
  step = math.min(step + 1, #ARGV - FIRST_STEP + 1)
  local ms = tonumber(ARGV[FIRST_STEP + step - 1])
  redis.call('SET', KEYS[11], string.format('%d:%d', step, now + ms), 'PX', string.format('%d', ms + step * quiet))
  redis.call('SET', KEYS[2], '0:a', 'PX', ms)
  list(KEYS[17], KEYS[2], now, ms)
  redis.call('PUBLISH', 'chat:measures', cjson.encode({kind = 'user', entity = ARGV[1], ms = ms}))
  return step, ms
end

if not is_exempt then
  local risk = tonumber(redis.call('GET', KEYS[1]) or '') or 0
  if risk >= tonumber(ARGV[3]) then return refused('high_risk', left(KEYS[1]), tostring(risk)) end
  local banned = left(KEYS[2])
  if banned > 0 then return refused('banned', banned) end
  local decided = math.max(left(KEYS[3]), left(KEYS[4]))
  if decided > 0 then return refused('decided', decided) end
end

local is_new = not redis.call('ZSCORE', KEYS[12], ARGV[1])
if is_new and not is_exempt and slide(KEYS[13], tonumber(ARGV[10])) >= tonumber(ARGV[9]) then
  return refused('crowded', redis.call('LINDEX', KEYS[13], 0) + ARGV[10] - now)
end

for i, scope in ipairs({'identity', 'fingerprint', 'address'}) do
  local count, limit = slide(KEYS[4 + i], window), tonumber(ARGV[4 + i])
  if i == 1 and count >= limit and not is_exempt then
    local step, ms = ban()
    return refused('limited', ms, scope, step)
  end
  if not is_exempt and left(KEYS[7 + i]) > 0 then limit = math.min(limit, tonumber(ARGV[8])) end
  if count >= limit then
    return refused('limited', redis.call('LINDEX', KEYS[4 + i], count - limit) + window - now, scope)
  end
end

for i = 5, 7 do note(KEYS[i], window) end
if is_new and not is_exempt then note(KEYS[13], ARGV[10]) end
redis.call('ZADD', KEYS[12], now, ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[12], 0, -1 - ARGV[11])
redis.call('PEXPIRE', KEYS[12], DAY)

local slow = tonumber(ARGV[12])
if slow > 0 then
  local waits = left(KEYS[14])
  if waits > 0 then return refused('slowed', waits) end
  redis.call('SET', KEYS[14], '1', 'PX', slow)
end

local recent = {}
if tonumber(ARGV[13]) > 0 then recent = redis.call('LRANGE', KEYS[16], 0, ARGV[13] - 1) end
return {'admitted', 0, '', 0, redis.call('EXISTS', KEYS[15]), recent}

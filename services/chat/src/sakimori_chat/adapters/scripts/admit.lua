-- May this client post? Risk, then blocks, then rate; counts the post when all agree. One step, so replicas and
-- concurrent posts cannot slip between a check and its count.
-- KEYS: 1 risk:fp:F  2 block:ID  3 block:fp:F  4 block:ip:A  5 rate:ID  6 rate:fp:F  7 rate:ip:N
-- ARGV: 1 risk limit  2 ban ms  3 window ms  4..6 posts per window of keys 5..7
-- Answers {outcome, ms until another try, detail}.

-- Milliseconds a key has left; 0 when there is none. One without expiry (set by hand) counts as a ban's length.
local function left(key)
  local ms = redis.call('PTTL', key)
  if ms == -1 then return tonumber(ARGV[2]) end
  return math.max(ms, 0)
end

local risk = tonumber(redis.call('GET', KEYS[1]) or '') or 0
if risk >= tonumber(ARGV[1]) then return {'high_risk', left(KEYS[1]), tostring(risk)} end

local ban = left(KEYS[2])
if ban > 0 then return {'banned', ban, ''} end
local decided = math.max(left(KEYS[3]), left(KEYS[4]))
if decided > 0 then return {'decided', decided, ''} end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window = tonumber(ARGV[3])
local scopes = {'identity', 'fingerprint', 'address'}

for i, scope in ipairs(scopes) do
  local key = KEYS[4 + i]
  local oldest = tonumber(redis.call('LINDEX', key, 0))
  while oldest and oldest <= now - window do
    redis.call('LPOP', key)
    oldest = tonumber(redis.call('LINDEX', key, 0))
  end
  if redis.call('LLEN', key) >= tonumber(ARGV[3 + i]) then
    if i > 1 then return {'limited', oldest + window - now, scope} end
    redis.call('SET', KEYS[2], '0:a', 'PX', ARGV[2])
    return {'limited', tonumber(ARGV[2]), scope}
  end
end

for i = 5, 7 do
  redis.call('RPUSH', KEYS[i], string.format('%d', now))
  redis.call('PEXPIRE', KEYS[i], window)
end
return {'admitted', 0, ''}

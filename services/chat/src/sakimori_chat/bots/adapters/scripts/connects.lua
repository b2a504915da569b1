-- May somebody connect once more? At most so many in a window; who goes over waits, longer each time within a day.
-- KEYS: 1 times of connections (list)  2 the wait  3 how often it had to wait
-- ARGV: 1 limit  2 window ms  3.. waits in ms, each longer (none: until the window has room again)
-- Answers the ms to wait; 0 when it may. A try while it waits changes nothing.
local left = redis.call('PTTL', KEYS[2])
if left > 0 then return left end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local oldest = tonumber(redis.call('LINDEX', KEYS[1], 0))
while oldest and oldest <= now - window do
  redis.call('LPOP', KEYS[1])
  oldest = tonumber(redis.call('LINDEX', KEYS[1], 0))
end

if redis.call('LLEN', KEYS[1]) >= limit then
  if #ARGV < 3 then return oldest + window - now end
  local times = redis.call('INCR', KEYS[3])
  redis.call('PEXPIRE', KEYS[3], 86400000)
  local wait = tonumber(ARGV[math.min(2 + times, #ARGV)])
  redis.call('SET', KEYS[2], '1', 'PX', wait)
  return wait
end

redis.call('RPUSH', KEYS[1], string.format('%d', now))
redis.call('PEXPIRE', KEYS[1], window)
return 0

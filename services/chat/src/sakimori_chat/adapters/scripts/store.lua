-- What append and release share: number a message, keep the last so many, tell every replica.
-- KEYS: 1 chat:<room>:messages (stream)  2 chat:<room>:next_id  3 chat:<room>:deleted (list)
-- ARGV: 1 how many to keep  2 chat:room:<room> (channel)  3 the message

-- The highest number ever given: the stream remembers it even when that message was taken away.
local function highest_of(key)
  if redis.call('EXISTS', key) == 0 then return 0 end
  local info = redis.call('XINFO', 'STREAM', key)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return tonumber(string.match(info[i + 1], '^%d+')) end
  end
  return 0
end

local function store()
  local number = redis.call('INCR', KEYS[2])
  local highest = highest_of(KEYS[1])
  if number <= highest then  -- the counter was lost, the stream was not
    number = highest + 1
    redis.call('SET', KEYS[2], number)
  end
  if number == 1 then redis.call('DEL', KEYS[3]) end  -- numbers begin anew: those of before mean nothing
  redis.call('XADD', KEYS[1], 'MAXLEN', '=', ARGV[1], string.format('%d-0', number), 'm', ARGV[3])
  redis.call('PUBLISH', ARGV[2], string.format('m%d:', number) .. ARGV[3])
  return number
end

-- Take a message away and remember that it is gone; tells whether it was there.
local function forget(number)
  if redis.call('XDEL', KEYS[1], number .. '-0') == 0 then return false end
  redis.call('LPUSH', KEYS[3], number)
  redis.call('LTRIM', KEYS[3], 0, 99)
  redis.call('PUBLISH', ARGV[2], 'd' .. number .. ':')
  return true
end

-- Store a message under the next number and keep the last so many.
-- KEYS: 1 chat:messages (stream)  2 chat:next_id      ARGV: 1 how many to keep  2 the message
-- Answers its number. The stream's own last id wins over a counter that was lost.
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local highest = newest and tonumber(string.match(newest[1], '^%d+')) or 0
local number = redis.call('INCR', KEYS[2])
if number <= highest then
  number = highest + 1
  redis.call('SET', KEYS[2], number)
end
redis.call('XADD', KEYS[1], 'MAXLEN', '=', ARGV[1], string.format('%d-0', number), 'm', ARGV[2])
return number

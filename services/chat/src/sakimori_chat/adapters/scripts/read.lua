-- Read all that follows a number in a room, what stands around it, and how long its reader is banned; as of one moment.
-- KEYS: 1..3 as in store.lua  4 block:<reader>, may be absent      ARGV: 1 the number
-- Answers {highest number ever given, entries, numbers taken away, ms of the ban}. Where the reader's number is higher
-- than that, it is from before the room was emptied: then all entries there are.
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local highest = tonumber(redis.call('GET', KEYS[2])) or 0
if newest then highest = math.max(highest, tonumber(string.match(newest[1], '^%d+'))) end
local after = tonumber(ARGV[1])
if after > highest then after = 0 end
local entries = redis.call('XRANGE', KEYS[1], string.format('(%d-0', after), '+')
local banned = KEYS[4] and redis.call('PTTL', KEYS[4]) or 0
return {highest, entries, redis.call('LRANGE', KEYS[3], 0, -1), math.max(0, banned)}

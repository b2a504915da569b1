-- Store a message (see store.lua) and, where it has one, its signature among the newest 64 of the room.
-- KEYS: 1..3 as in store.lua  4 chat:<room>:recent (list, newest first)
-- ARGV: 1..3 as in store.lua  4 the author's id  5 the signature, may be empty  6 ms after which signatures are forgotten
-- Answers the message's number. An element of `recent` is "<ms since the epoch>:<author's id>:<signature>".
if ARGV[5] ~= '' then
  local time = redis.call('TIME')
  local ms = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
  redis.call('LPUSH', KEYS[4], ms .. ':' .. ARGV[4] .. ':' .. ARGV[5])
  redis.call('LTRIM', KEYS[4], 0, 63)
  redis.call('PEXPIRE', KEYS[4], ARGV[6])
end
return store()

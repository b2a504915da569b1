-- Put a held message into the queue, and drop the oldest when there are too many.
-- KEYS: 1 chat:held (when, by message)  2 chat:held:entries (what, by message)
-- ARGV: 1 the message's name  2 when (ms)  3 what  4 how many are kept  5 ms until all is forgotten
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
for _, dropped in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1 - ARGV[4])) do
  redis.call('HDEL', KEYS[2], dropped)
  redis.call('ZREM', KEYS[1], dropped)
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[5])

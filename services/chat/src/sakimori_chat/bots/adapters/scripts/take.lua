-- Count one of something rare in a fixed window that begins with the first.
-- KEYS: 1 the counter      ARGV: 1 limit  2 seconds      Answers 0, or the seconds until there may be another.
if (tonumber(redis.call('GET', KEYS[1]) or '') or 0) >= tonumber(ARGV[1]) then
  if redis.call('TTL', KEYS[1]) < 0 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
  return math.max(1, redis.call('TTL', KEYS[1]))
end
if redis.call('INCR', KEYS[1]) == 1 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return 0

-- Give a bot's session up, unless another holds the bot already.
-- KEYS: 1 bot:session:<bot>      ARGV: 1 the session
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0

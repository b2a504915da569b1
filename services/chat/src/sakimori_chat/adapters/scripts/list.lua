-- What admit and enforce share: the list of blocks and throttles, for operators. What counts is each one's own key.
local MOST, LONGEST_MS = 10000, 2592000000 -- a decision lasts 30 days at most

-- Enter a key that has so many ms from now; what has ended leaves, and what ends soonest where there are too many.
local function list(index, key, now, ms)
  redis.call('ZADD', index, now + ms, key)
  redis.call('ZREMRANGEBYSCORE', index, 0, now)
  redis.call('ZREMRANGEBYRANK', index, 0, -1 - MOST)
  redis.call('PEXPIRE', index, LONGEST_MS)
end


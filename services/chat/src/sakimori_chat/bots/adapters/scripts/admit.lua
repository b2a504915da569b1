-- May this bot do one thing more? Nonce, decision on its address, then the windows; remembers the nonce and counts, all in
-- one step, so that two requests with one nonce cannot both pass and no counter is left without its end.
-- KEYS: 1 rate:B:minute  2 rate:B:hour  3 rate:B:day  4 block:ip:N  5 nonce:B:N (none for a frame of a session)
-- ARGV: 1..3 limits of keys 1..3  4..6 seconds of their windows  7 seconds to remember the nonce  8 1 where nothing may block
-- Answers {outcome, which window is full (0 none) or seconds of a decision, counts of the three windows}.
local counts = {}
for i = 1, 3 do counts[i] = tonumber(redis.call('GET', KEYS[i]) or '') or 0 end

local function answer(outcome, detail)
  return {outcome, detail, counts[1], counts[2], counts[3]}
end

-- A request that is refused counts for the minute and its nonce is remembered all the same, up to twice the limit:
-- so it cannot be played back later, and a bot without measure takes no more memory than one that has it.
local function remember()
  if counts[1] >= 2 * tonumber(ARGV[1]) then return end
  counts[1] = redis.call('INCR', KEYS[1])
  redis.call('EXPIRE', KEYS[1], ARGV[4])
  if KEYS[5] then redis.call('SET', KEYS[5], '', 'EX', ARGV[7]) end
end

if KEYS[5] and redis.call('EXISTS', KEYS[5]) == 1 then return answer('replayed', 0) end

local decided = redis.call('PTTL', KEYS[4])
if decided ~= -2 and ARGV[8] ~= '1' then
  remember()
  return answer('decided', math.max(1, math.ceil(decided / 1000)))
end

for i = 1, 3 do
  if counts[i] >= tonumber(ARGV[i]) then
    remember()
    return answer('limited', i)
  end
end

remember()
for i = 2, 3 do
  counts[i] = redis.call('INCR', KEYS[i])
  redis.call('EXPIRE', KEYS[i], ARGV[3 + i])
end
return answer('admitted', 0)

-- Counts one batch for the windows of adapters/valkey.py; the twin of domain/windows.py, held together by
-- tests/contract/test_detection_state.py. All or nothing, and once: the outcomes are remembered under the batch's id.
--
-- KEYS[1]          the batch
-- KEYS[2 .. 1+n]   what the folds read (n of them)
-- then per group   a sorted set (member: event id or value; score: time in microseconds) and a hash (the open finding,
--                  and for values the event id of each as e:<value>)
-- ARGV[1]          MessagePack: batch_ttl, n, groups of (rule, key, threshold, timespan, hold, by_value, retained, ttl,
--                  signs of (time, event, value, note))
-- ARGV[2 .. 1+3n]  per key of the folds: the value that was read ("-" if absent, else "=" and the value), the value to
--                  write, its seconds to live ("0": leave the key alone)
-- Answers          {1} when a fold's key has changed since it was read, else {0, outcomes as MessagePack}.

local EVIDENCE = 20
local call = redis.call

local seen = call('GET', KEYS[1])
if seen then return {0, seen} end

local batch_ttl, fold_keys, groups = unpack(cmsgpack.unpack(ARGV[1]))

for i = 1, fold_keys do
  local value = call('GET', KEYS[1 + i])
  if (value and '=' .. value or '-') ~= ARGV[3 * i - 1] then return {1} end
end
for i = 1, fold_keys do
  if ARGV[3 * i + 1] ~= '0' then call('SET', KEYS[1 + i], ARGV[3 * i], 'EX', ARGV[3 * i + 1]) end
end

local outcomes = {}

local function evidence(entries, hash, by_value, first, last)
  local members = call('ZREVRANGEBYSCORE', entries, last, first, 'LIMIT', 0, EVIDENCE)
  local ids = {}
  for i = #members, 1, -1 do
    ids[#ids + 1] = by_value and call('HGET', hash, 'e:' .. members[i]) or members[i]
  end
  return ids
end

local function observe(entries, hash, group)
  local rule, key, threshold, timespan, hold, by_value, retained, ttl, signs = unpack(group)
  local open = call('HMGET', hash, 'anchor', 'first', 'last', 'count')
  local anchor, first, last, count = tonumber(open[1]), tonumber(open[2]), tonumber(open[3]), tonumber(open[4])
  local newest = tonumber(call('ZRANGE', entries, -1, -1, 'WITHSCORES')[2])
  local size = call('ZCARD', entries)
  local touched, opened = nil, false

  local function flush()
    if touched then
      local ids = evidence(entries, hash, by_value, first, last)
      outcomes[#outcomes + 1] = {rule, key, anchor, first, last, count, opened, ids, touched[2], touched[4]}
    end
    touched, opened = nil, false
  end

  -- Enters a sign and forgets the oldest beyond the bound; says whether its member was not there.
  local function add(time, event, value)
    local member = by_value and value or event
    local known = tonumber(call('ZSCORE', entries, member) or nil)
    if known and (not by_value or known >= time) then return false end
    call('ZADD', entries, time, member)
    if by_value then call('HSET', hash, 'e:' .. member, event) end
    if not known then size = size + 1 end
    if not newest or time > newest then newest = time end
    if size > retained then
      local oldest = call('ZPOPMIN', entries)[1]
      if by_value then call('HDEL', hash, 'e:' .. oldest) end
      size = size - 1
    end
    return not known
  end

  local function fire(sign)
    if size < threshold then return end
    local oldest = tonumber(call('ZRANGE', entries, -threshold, -threshold, 'WITHSCORES')[2])
    if newest - oldest > timespan then return end
    local since = newest - timespan
    anchor, last, count = newest, newest, call('ZCOUNT', entries, since, newest)
    first = tonumber(call('ZRANGEBYSCORE', entries, since, newest, 'WITHSCORES', 'LIMIT', 0, 1)[2])
    touched, opened = sign, true
  end

  for i = 1, #signs do
    local sign = signs[i]
    local time = sign[1]
    local is_before_all = newest ~= nil and time < newest - timespan - hold
    if anchor and (time > anchor + hold or is_before_all) then
      flush()
      anchor = nil
    end
    if is_before_all then
      call('DEL', entries, hash)
      newest, size = nil, 0
    end
    local is_new = add(time, sign[2], sign[3])
    if anchor then
      if is_new then
        count, first, last, touched = count + 1, math.min(first, time), math.max(last, time), sign
      end
    else
      fire(sign)
    end
  end

  flush()
  if anchor then
    call('HSET', hash, 'anchor', anchor, 'first', first, 'last', last, 'count', count)
  else
    call('HDEL', hash, 'anchor', 'first', 'last', 'count')
  end
  call('EXPIRE', entries, ttl)
  call('EXPIRE', hash, ttl)
end

for i = 1, #groups do
  local at = fold_keys + 2 * i
  observe(KEYS[at], KEYS[at + 1], groups[i])
end

local packed = cmsgpack.pack(outcomes)
call('SET', KEYS[1], packed, 'EX', batch_ttl)
return {0, packed}

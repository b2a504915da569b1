-- Counts one batch for the windows of adapters/valkey.py; the twin of domain/windows.py, held together by
-- tests/contract/test_detection_state.py. All or nothing, and once: the outcomes are remembered under the batch's id.
--
-- KEYS[1]          the batch
-- KEYS[2 .. 1+n]   what the folds read (n of them)
-- ARGV[1]          MessagePack: batch_ttl, n, windows of (rule, threshold, timespan, hold, by_value, retained, ttl),
--                  groups of (place of the window, key, name of the key, signs of (time, event, value, note))
-- ARGV[2 .. 1+3n]  per key of the folds: the value that was read ("-" if absent, else "=" and the value), the value to
--                  write, its seconds to live ("0": leave the key alone)
-- detector:window:<rule>:<name>: MessagePack of {open, time, member, time, member, ...}, the entries by time. open is
--                  {anchor, first, last, count} or false. A member is an event id or, of windows that count values, a
--                  value, which (then only) the event that brought it follows.
-- Answers          {1} when a fold's key has changed since it was read, else {0, outcomes as MessagePack}.

local EVIDENCE = 20
local call = redis.call

local seen = call('GET', KEYS[1])
if seen then return {0, seen} end

local batch_ttl, fold_keys, windows, groups = unpack(cmsgpack.unpack(ARGV[1]))

for i = 1, fold_keys do
  local value = call('GET', KEYS[1 + i])
  if (value and '=' .. value or '-') ~= ARGV[3 * i - 1] then return {1} end
end
for i = 1, fold_keys do
  if ARGV[3 * i + 1] ~= '0' then call('SET', KEYS[1 + i], ARGV[3 * i], 'EX', ARGV[3 * i + 1]) end
end

local outcomes = {}

local function observe(window, key, name, signs)
  local rule, threshold, timespan, hold, by_value, retained, ttl = unpack(window)
  name = 'detector:window:' .. rule .. ':' .. name

  local stored
  if threshold > 1 and #signs == 1 then  -- most keys of most batches are new: all is done in one call then
    local sign = signs[1]
    local fresh = by_value and {false, sign[1], sign[3], sign[2]} or {false, sign[1], sign[2]}
    stored = call('SET', name, cmsgpack.pack(fresh), 'NX', 'GET', 'EX', ttl)
    if not stored then return end
  else
    stored = call('GET', name)
  end

  local times, members, events, open = {}, {}, {}, false
  local width = by_value and 3 or 2
  if stored then
    stored = cmsgpack.unpack(stored)
    open = stored[1]
    for i = 2, #stored, width do
      local at = #times + 1
      times[at], members[at], events[at] = stored[i], stored[i + 1], by_value and stored[i + 2] or nil
    end
  end
  local head, tail = 1, #times  -- the entries in use; what lies before head is forgotten
  local known = {}              -- member to time
  for i = 1, tail do known[members[i]] = times[i] end
  local touched, opened = nil, false

  -- Makes an entry after all that are not later.
  local function insert(time, member, event)
    local at = tail + 1
    while at > head and times[at - 1] > time do
      times[at], members[at], events[at] = times[at - 1], members[at - 1], events[at - 1]
      at = at - 1
    end
    times[at], members[at], events[at] = time, member, by_value and event or nil
    tail, known[member] = tail + 1, time
    if tail - head + 1 > retained then
      known[members[head]] = nil
      head = head + 1
    end
  end

  local function remove(member)
    local at = head
    while members[at] ~= member do at = at + 1 end
    for i = at, tail do times[i], members[i], events[i] = times[i + 1], members[i + 1], events[i + 1] end
    tail = tail - 1
  end

  -- Enters a sign; says whether its member was not there.
  local function add(sign)
    local time, event, value = sign[1], sign[2], sign[3]
    local member = by_value and value or event
    local before = known[member]
    if before then
      if not by_value or before >= time then return false end
      remove(member)
    end
    insert(time, member, event)
    return before == nil
  end

  local function fire(sign)
    if tail - head + 1 < threshold then return end
    local newest = times[tail]
    if newest - times[tail - threshold + 1] > timespan then return end
    local first = tail
    while first > head and times[first - 1] >= newest - timespan do first = first - 1 end
    open = {newest, times[first], newest, tail - first + 1}
    touched, opened = sign, true
  end

  local function flush()
    if touched then
      local ids, from = {}, tail + 1
      while from > head and tail - from + 1 < EVIDENCE and times[from - 1] >= open[2] do from = from - 1 end
      for i = from, tail do ids[#ids + 1] = by_value and events[i] or members[i] end
      outcomes[#outcomes + 1] = {rule, key, open[1], open[2], open[3], open[4], opened, ids, touched[2], touched[4]}
    end
    touched, opened = nil, false
  end

  for i = 1, #signs do
    local sign = signs[i]
    local time = sign[1]
    local is_before_all = tail >= head and time < times[tail] - timespan - hold
    if open and (time > open[1] + hold or is_before_all) then
      flush()
      open = false
    end
    if is_before_all then
      times, members, events, known, head, tail = {}, {}, {}, {}, 1, 0
    end
    local is_new = add(sign)
    if not open then
      fire(sign)
    elseif is_new then
      open[2], open[3], open[4] = math.min(open[2], time), math.max(open[3], time), open[4] + 1
      touched = sign
    end
  end
  flush()

  local kept = {open}
  for i = head, tail do
    local at = #kept + 1
    kept[at], kept[at + 1], kept[at + 2] = times[i], members[i], events[i]
  end
  call('SET', name, cmsgpack.pack(kept), 'EX', ttl)
end

for i = 1, #groups do
  local place, key, name, signs = unpack(groups[i])
  observe(windows[place], key, name, signs)
end

local packed = cmsgpack.pack(outcomes)
call('SET', KEYS[1], packed, 'EX', batch_ttl)
return {0, packed}

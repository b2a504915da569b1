-- Counts one batch for the windows of adapters/valkey.py; the twin of sigma/sliding.py, held together by
-- tests/contract/test_detection_state.py. All or nothing, and once: the outcomes are remembered under the batch's id.
--
-- KEYS[1]          the batch
-- KEYS[2 .. 1+n]   what the folds read (n of them)
-- ARGV[1]          MessagePack: batch_ttl, n, windows of (rule, kind, threshold, timespan, hold, reach, retained,
--                  remembered, is_strict, ways, ttl), groups of (place of the window, key, name of the key, signs of
--                  (time, event, value, note, replaced event or '')), the same two for judged windows (see `await`),
--                  and when the batch arrived
-- ARGV[2 .. 1+3n]  per key of the folds: the value that was read ("-" if absent, else "=" and the value), the value to
--                  write, its seconds to live ("0": leave the key alone)
-- detector:window|late:<rule>:<name>: MessagePack of {settled, settled_count, emitted, base, time, value, event,
--                  time, value, event, ...}, the entries in order; base is the open finding as it is before the first
--                  entry that is not settled, {anchor, first, last, count, total, recent, seen}, or false.
-- Answers          {1} when a fold's key has changed since it was read, else {0, outcomes as MessagePack}.

local EVIDENCE, MAX_UNSETTLED = 20, 100
local COUNT, VALUES, SUM, WAYS, ORDERED = 0, 1, 2, 3, 4
local ANCHOR, FIRST, LAST, TALLY, TOTAL, RECENT, SEEN = 1, 2, 3, 4, 5, 6, 7
local call = redis.call

local seen_batch = call('GET', KEYS[1])
if seen_batch then return {0, seen_batch} end

local batch_ttl, fold_keys, windows, groups, judged, waiting, arrived = unpack(cmsgpack.unpack(ARGV[1]))

for i = 1, fold_keys do
  local value = call('GET', KEYS[1 + i])
  if (value and '=' .. value or '-') ~= ARGV[3 * i - 1] then return {1} end
end
for i = 1, fold_keys do
  if ARGV[3 * i + 1] ~= '0' then call('SET', KEYS[1 + i], ARGV[3 * i], 'EX', ARGV[3 * i + 1]) end
end

local outcomes = {}

-- Keeps the signs of windows that are judged when they are over (sigma/judging.py; settle.lua puts back what is not).
-- detector:waiting[-late]:<rule>:<name>: a list of signs, MessagePack of {time, event, value, sample, replaced event}
-- ...:state: {rule, key, opened, newest, arrived, version, until, held, timespan, reach}
-- detector:deadlines: a sorted set of the first by when the window that opened first is over
local function await(window, key, short, signs, is_late)
  local rule, timespan, reach, ttl, slot, most = unpack(window)
  local name = (is_late and 'detector:waiting-late:' or 'detector:waiting:') .. rule .. ':' .. short
  local stored = call('GET', name .. ':state')
  stored = stored and cmsgpack.unpack(stored) or {rule, key, false, 0, 0, 0, -1, false, timespan, reach}
  local length, late = call('LLEN', name), nil
  for i = 1, #signs do
    local sign = signs[i]
    local time = sign[1]
    if time <= stored[7] and not is_late then
      late = late or {}
      late[#late + 1] = sign
    elseif length < most then
      if sign[4] ~= '' and length > 0 then  -- one event a slot is enough
        local before = cmsgpack.unpack(call('LINDEX', name, -1))
        if before[4] ~= '' and math.floor(before[1] / slot) == math.floor(time / slot) then
          before[4] = ''
          call('LSET', name, -1, cmsgpack.pack(before))
        end
      end
      call('RPUSH', name, cmsgpack.pack(sign))
      length = length + 1
      stored[3] = math.min(stored[3] or time, time)
      stored[4] = math.max(stored[4], time)
    end
  end
  if stored[3] then
    stored[5] = math.max(stored[5], arrived)
    local left = math.max(0, stored[3] + timespan + reach + 1 - stored[4])
    call('ZADD', 'detector:deadlines', string.format('%.0f', stored[5] + left), name)
    call('SET', name .. ':state', cmsgpack.pack(stored), 'EX', ttl)
    call('EXPIRE', name, ttl)
  end
  if late then await(window, key, short, late, true) end
end

-- Counts an entry for a finding.
local function take(kind, remembered, finding, time, value, event)
  if time < finding[FIRST] then finding[FIRST] = time end
  if time > finding[LAST] then finding[LAST] = time end
  if kind ~= COUNT and kind ~= SUM then
    local seen = finding[SEEN]
    local known = seen[value]
    if known then
      known[1], known[2] = known[1] + 1, event
      if kind == VALUES then return end
    elseif finding.distinct < remembered then
      seen[value] = {1, event}
      finding.distinct = finding.distinct + 1
    end
  end
  finding[TALLY] = finding[TALLY] + 1
  if kind == SUM then finding[TOTAL] = finding[TOTAL] + (tonumber(value) or 0) end
  local recent = finding[RECENT]
  recent[#recent + 1] = event
  if #recent > EVIDENCE then table.remove(recent, 1) end
end

local function copy(finding)
  local recent, seen = {}, {}
  for i = 1, #finding[RECENT] do recent[i] = finding[RECENT][i] end
  for value, known in pairs(finding[SEEN]) do seen[value] = {known[1], known[2]} end
  return {finding[1], finding[2], finding[3], finding[4], finding[5], recent, seen, distinct = finding.distinct}
end

-- Lists what was seen as {value, count, event} by value.
local function listed(seen)
  local list = {}
  for value, known in pairs(seen) do list[#list + 1] = {value, known[1], known[2]} end
  table.sort(list, function(one, other) return one[1] < other[1] end)
  return list
end

local function packed(finding)
  if not finding then return false end
  local flat = {}
  for value, known in pairs(finding[SEEN]) do
    local at = #flat
    flat[at + 1], flat[at + 2], flat[at + 3] = value, known[1], known[2]
  end
  return {finding[1], finding[2], finding[3], finding[4], finding[5], finding[6], flat}
end

local function unpacked(stored)
  if not stored then return false end
  local seen, flat, distinct = {}, stored[SEEN], 0
  for i = 1, #flat, 3 do
    seen[flat[i]] = {flat[i + 1], flat[i + 2]}
    distinct = distinct + 1
  end
  stored[SEEN], stored.distinct = seen, distinct
  return stored
end

-- The places, newest first, of the newest entries that complete a window at `place`; nil when it is not complete.
local complete = {
  [COUNT] = function(times, values, place, earliest, window)
    local start = place - window[3] + 1
    if start < 1 or times[start] < earliest then return nil end
    local run = {}
    for at = place, start, -1 do run[#run + 1] = at end
    return run
  end,
  [VALUES] = function(times, values, place, earliest, window)
    local run, found = {}, {}
    for at = place, 1, -1 do
      if times[at] < earliest then return nil end
      if not found[values[at]] then
        found[values[at]], run[#run + 1] = true, at
        if #run >= window[3] then return run end
      end
    end
  end,
  [SUM] = function(times, values, place, earliest, window)
    local run, total = {}, 0
    for at = place, 1, -1 do
      if times[at] < earliest then return nil end
      run[#run + 1], total = at, total + (tonumber(values[at]) or 0)
      if total > window[3] or (total == window[3] and not window[9]) then return run end
    end
  end,
  [WAYS] = function(times, values, place, earliest, window)
    local found = {}
    for at = place, 1, -1 do
      if times[at] < earliest then return nil end
      if not found[values[at]] then
        found[values[at]] = at
        for _, way in ipairs(window[10]) do
          local run = {}
          for _, value in ipairs(way) do run[#run + 1] = found[value] end
          if #run == #way then
            table.sort(run, function(one, other) return one > other end)
            return run
          end
        end
      end
    end
  end,
  [ORDERED] = function(times, values, place, earliest, window)
    local ways, runs = {}, {}
    for _, way in ipairs(window[10]) do
      if way[#way] == values[place] then ways[#ways + 1], runs[#runs + 1] = way, {} end
    end
    if #ways == 0 then return nil end
    for at = place, 1, -1 do
      if times[at] < earliest then return nil end
      for i, way in ipairs(ways) do
        local run = runs[i]
        if way[#way - #run] == values[at] then
          run[#run + 1] = at
          if #run == #way then return run end
        end
      end
    end
  end,
}

-- Which of the settled entries 1..count are kept: true by place.
local function kept_of(kind, retained, times, values, count, since)
  local keep, kept, seen = {}, 0, {}
  for at = count, 1, -1 do
    if times[at] < since or kept == retained then break end
    local value = values[at]
    if kind == ORDERED then
      keep[at] = at == count or values[at + 1] ~= value
    elseif kind == WAYS or kind == VALUES then
      keep[at] = not seen[value]
      seen[value] = true
    else
      keep[at] = true
    end
    if keep[at] then kept = kept + 1 end
  end
  return keep
end

-- The window of a key as it is worked on; `member` tells a sign from any other of the key.
local function opened(window, key, stored)
  local kind = window[2]
  local at = {
    window = window, key = key, kind = kind, timespan = window[4], hold = window[5], remembered = window[8],
    by_value = kind == WAYS or kind == ORDERED, settled = -1, settled_count = 0, emitted = -1, base = false,
    times = {}, values = {}, events = {}, n = 0, known = {}, fresh = {}, fresh_count = 0,
  }
  if stored then
    at.settled, at.settled_count, at.emitted, at.base = stored[1], stored[2], stored[3], unpacked(stored[4])
    for i = 5, #stored, 3 do
      local n = at.n + 1
      at.n, at.times[n], at.values[n], at.events[n] = n, stored[i], stored[i + 1], stored[i + 2]
      at.known[at.by_value and stored[i + 2] .. '\0' .. stored[i + 1] or stored[i + 2]] = true
    end
  end
  return at
end

local function member_of(at, value, event) return at.by_value and event .. '\0' .. value or event end

-- Puts an entry in its place by time, value and event.
local function insert(at, time, value, event)
  local times, values, events, place = at.times, at.values, at.events, at.n + 1
  while place > at.settled_count + 1 do
    local before = place - 1
    local is_later = times[before] > time or (times[before] == time
      and (values[before] > value or (values[before] == value and events[before] > event)))
    if not is_later then break end
    times[place], values[place], events[place] = times[before], values[before], events[before]
    place = before
  end
  times[place], values[place], events[place] = time, value, event
  at.n = at.n + 1
end

-- Removes what a sign takes the place of, if it is not settled.
local function take_back(at, sign)
  local value, replaced = sign[3], sign[5]
  local times, values, events = at.times, at.values, at.events
  for i = at.settled_count + 1, at.n do
    if events[i] == replaced and values[i] == value then
      at.known[member_of(at, value, replaced)] = nil
      for to = i, at.n do times[to], values[to], events[to] = times[to + 1], values[to + 1], events[to + 1] end
      at.n, at.replacing = at.n - 1, sign
      return
    end
  end
end

-- Enters the signs; gives those that come too late for this window.
local function enter(at, signs)
  local late
  for i = 1, #signs do
    local sign = signs[i]
    local time, event, value, base = sign[1], sign[2], sign[3], at.base
    if sign[5] ~= '' then take_back(at, sign) end
    local member = member_of(at, value, event)
    if at.known[member] then
      -- counted already
    elseif time >= at.settled then
      insert(at, time, value, event)
      at.known[member], at.fresh[member], at.fresh_count = true, sign, at.fresh_count + 1
    elseif base and base[FIRST] <= time and time <= base[ANCHOR] + at.hold then
      take(at.kind, at.remembered, base, time, value, event)
      at.touched = sign
    else
      late = late or {}
      late[#late + 1] = sign
    end
  end
  return late
end

-- Tells of a finding if a sign of this batch is in it.
local function flush(at, current)
  local touched, anchor, emitted = at.touched or at.replacing, current[ANCHOR], at.emitted
  at.touched = nil
  if not touched then return end
  local is_moved = anchor <= emitted and emitted <= anchor + at.hold
  local observed = at.kind == SUM and current[TOTAL] or at.by_value and current.distinct or current[TALLY]
  outcomes[#outcomes + 1] = {at.window[1], at.key, anchor, current[FIRST], current[LAST], current[TALLY],
    not at.is_known and not is_moved, current[RECENT], touched[2], touched[4] or '', observed,
    is_moved and emitted ~= anchor and emitted or -1, at.by_value and listed(current[SEEN]) or {}}
  at.emitted = is_moved and anchor or math.max(emitted, anchor)
end

-- Opens a finding if the entry at a place completes the window.
local function fired(at, place)
  local time = at.times[place]
  local run = complete[at.kind](at.times, at.values, place, time - at.timespan, at.window)
  if not run then return false end
  local current = {time, at.times[run[#run]], time, 0, 0, {}, {}, distinct = 0}
  for i = #run, 1, -1 do
    take(at.kind, at.remembered, current, at.times[run[i]], at.values[run[i]], at.events[run[i]])
  end
  at.is_known = false
  at.touched = at.latest and at.latest[1] >= current[FIRST] and at.latest or nil
  return current
end

-- Goes over the entries that are not settled, and settles those that are old by now.
local function replay(at, reach)
  local current, n, settled_count = at.base, at.n, nil
  if n > 0 then
    at.settled = math.max(at.settled, at.times[n] - reach)
    if n - at.settled_count > MAX_UNSETTLED then
      at.settled = math.max(at.settled, at.times[n - MAX_UNSETTLED + 1])
    end
  end
  at.is_known, at.latest = true, at.touched
  for i = at.settled_count + 1, n do
    local time, value, event = at.times[i], at.values[i], at.events[i]
    if not settled_count and i > n - MAX_UNSETTLED and time >= at.settled then
      at.base, settled_count = current and copy(current), i - 1
    end
    if current and time > current[ANCHOR] + at.hold then
      flush(at, current)
      current = false
    end
    local sign = at.fresh[member_of(at, value, event)]
    at.latest = sign or at.latest
    if current then
      take(at.kind, at.remembered, current, time, value, event)
      at.touched = sign or at.touched
    else
      current = fired(at, i)
    end
  end
  if not settled_count then at.base, settled_count = current and copy(current), n end
  if current then flush(at, current) end
  return settled_count
end

-- Joins the settled entries of a sum in pairs, at the earlier time, until there are no more than may be kept.
local function join(at, settled_count)
  local times, values, events, since = at.times, at.values, at.events, at.settled - at.timespan
  local first, n = 1, 0
  while first <= settled_count and times[first] < since do first = first + 1 end
  local pair = settled_count - first + 1 > at.window[7] and 2 or 1
  for from = first, at.n do
    local is_second = pair == 2 and from <= settled_count and (from - first) % 2 == 1
    if is_second then
      values[n] = string.format('%.17g', (tonumber(values[n]) or 0) + (tonumber(values[from]) or 0))
    else
      n = n + 1
      times[n], values[n], events[n] = times[from], values[from], events[from]
    end
  end
  settled_count, at.n = settled_count - first + 1 - (at.n - first + 1 - n), n
  return settled_count
end

local function save(at, name, settled_count)
  if at.kind == SUM then settled_count = join(at, settled_count) end
  local saved, kept, size = {at.settled, 0, at.emitted, packed(at.base)}, 0, 4
  local keep = kept_of(at.kind, at.window[7], at.times, at.values, settled_count, at.settled - at.timespan)
  for i = 1, at.n do
    if i > settled_count or keep[i] then
      if i <= settled_count then kept = kept + 1 end
      saved[size + 1], saved[size + 2], saved[size + 3] = at.times[i], at.values[i], at.events[i]
      size = size + 3
    end
  end
  saved[2] = kept
  call('SET', name, cmsgpack.pack(saved), 'EX', at.window[11])
end

-- Reads what is stored of a key. A key of one sign that is not enough is done in one call: most keys of most batches.
local function read(window, name, signs, is_late)
  local stored
  if #signs == 1 and window[3] > 1 and window[2] ~= SUM and not is_late then
    local sign = signs[1]
    local fresh = cmsgpack.pack({math.max(sign[1] - window[6], 0), 0, -1, false, sign[1], sign[3], sign[2]})
    stored = call('SET', name, fresh, 'NX', 'GET', 'EX', window[11])
    if not stored then return nil, true end
  else
    stored = call('GET', name)
  end
  stored = stored and cmsgpack.unpack(stored)
  for i = 1, is_late and stored and #signs or 0 do
    if signs[i][1] < stored[1] then return nil end  -- late even among the late: they start anew
  end
  return stored
end

local function observe(window, key, short, signs, is_late)
  local name = (is_late and 'detector:late:' or 'detector:window:') .. window[1] .. ':' .. short
  local stored, is_done = read(window, name, signs, is_late)
  if is_done then return end
  local at = opened(window, key, stored)
  local late = enter(at, signs)
  local is_changed = at.fresh_count > 0 or at.touched
  if at.replacing and not is_changed then at.replacing, is_changed = nil, true end  -- by one that is known or late
  if is_changed then save(at, name, replay(at, window[6])) end
  if late then observe(window, key, short, late, true) end
end

for i = 1, #groups do
  local place, key, name, signs = unpack(groups[i])
  observe(windows[place], key, name, signs, false)
end

for i = 1, #waiting do
  local place, key, name, signs = unpack(waiting[i])
  await(judged[place], key, name, signs, false)
end

local answer = cmsgpack.pack(outcomes)
call('SET', KEYS[1], answer, 'EX', batch_ttl)
return {0, answer}

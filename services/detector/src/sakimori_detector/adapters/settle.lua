-- Takes the signs that were judged from a key, unless somebody else has; what came meanwhile stays (state.lua, `await`).
--
-- KEYS[1]  detector:waiting[-late]:<rule>:<name>
-- ARGV     version that was judged, signs that were read, until when it is judged now, the held finding as MessagePack
--          or '', seconds to live, then the signs that are not over, in order

local call, name = redis.call, KEYS[1]
local stored = call('GET', name .. ':state')
if not stored then
  call('ZREM', 'detector:deadlines', name)
  return 0
end
stored = cmsgpack.unpack(stored)
if stored[6] ~= tonumber(ARGV[1]) then return 0 end

call('LTRIM', name, ARGV[2], -1)
for i = #ARGV, 6, -1 do call('LPUSH', name, ARGV[i]) end
stored[6], stored[7] = stored[6] + 1, math.max(stored[7], tonumber(ARGV[3]))
stored[8] = ARGV[4] ~= '' and cmsgpack.unpack(ARGV[4]) or false
stored[3] = false
for _, sign in ipairs(call('LRANGE', name, 0, -1)) do
  local time = cmsgpack.unpack(sign)[1]
  stored[3] = math.min(stored[3] or time, time)
end
if stored[3] then
  local left = math.max(0, stored[3] + stored[9] + stored[10] + 1 - stored[4])
  call('ZADD', 'detector:deadlines', string.format('%.0f', stored[5] + left), name)
  call('EXPIRE', name, ARGV[5])
else
  call('ZREM', 'detector:deadlines', name)
end
call('SET', name .. ':state', cmsgpack.pack(stored), 'EX', ARGV[5])
return 1

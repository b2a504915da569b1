-- Show a held message to everybody: the held one goes, the same text comes at the end. Of several who release it at
-- once only one finds it there.
-- KEYS: as in store.lua      ARGV: 1..3 as in store.lua, 3 being the message as all shall see it  4 the held one's number
-- Answers the new number, 0 when the held one is gone.
if not forget(ARGV[4]) then return 0 end
return store()

-- Take a message away for everybody.      KEYS, ARGV: as in store.lua; ARGV 3 is the number
-- Answers 1 when it was there.
return forget(ARGV[3]) and 1 or 0

-- Empties a producer's stream and keeps it fenced for a day, and takes it from the list.
-- KEYS[1]  the stream
-- KEYS[2]  the set of the region's producers
-- ARGV[1]  the producer's id
-- ARGV[2]  an entry's id above all that a writer would append
-- returns  1
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('XADD', KEYS[1], '0-1', 'opened', '1')
end
redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)
redis.call('XSETID', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], 86400)
redis.call('SREM', KEYS[2], ARGV[1])
return 1

-- Starts a producer's empty stream and lists it, or finds that it was started before.
-- KEYS[1]  the stream
-- KEYS[2]  the set of the region's producers
-- ARGV[1]  the producer's id
-- returns  1
if redis.call('EXISTS', KEYS[1]) == 0 then
  -- An entry of its own, before the first of the sequence: a stream without any can't be told from none.
  redis.call('XADD', KEYS[1], '0-1', 'opened', '1')
end
redis.call('SADD', KEYS[2], ARGV[1])
return 1

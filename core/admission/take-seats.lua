-- Takes seats of a region, all of them or none. Ids that are held already are had again, whatever is free.
-- KEYS[1]  the region's sorted set: ids of seats that are being taken, by when each lapses
-- ARGV[1]  now, ms of the core's clock
-- ARGV[2]  when these lapse, ms of the same clock
-- ARGV[3]  how many the region has free
-- ARGV[4…] the ids
-- returns  1 when they are held; 0 when that would be more than are free
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
local new = {}
local count = 0
for i = 4, #ARGV do
  if not new[ARGV[i]] and not redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    new[ARGV[i]] = true
    count = count + 1
  end
end
if count > 0 and redis.call('ZCARD', KEYS[1]) + count > tonumber(ARGV[3]) then return 0 end
for i = 4, #ARGV do redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[i]) end
-- What nobody asks for any more goes by itself. The clocks may differ, so by how long it is held.
local ttl = math.max(1, math.ceil(ARGV[2] - ARGV[1]))
if redis.call('PTTL', KEYS[1]) < ttl then redis.call('PEXPIRE', KEYS[1], ttl) end
return 1

-- Takes the next incarnation of a region's node: one more than the last, and never below a floor.
-- KEYS[1]  the counter
-- ARGV[1]  the floor: Unix time in seconds
-- returns  the incarnation, a whole number
local incarnation = redis.call('INCR', KEYS[1])
local floor = tonumber(ARGV[1])
if incarnation < floor then
  redis.call('SET', KEYS[1], ARGV[1])
  incarnation = floor
end
return incarnation

-- Appends an entry, if it is the next one of the stream.
-- KEYS[1]  the producer's stream; an entry's id is its place in the sequence, from 1
-- ARGV[1]  the entry's place
-- ARGV[2]  its items as JSON
-- returns  1 when the stream holds it, now or since before; 0 when the stream does not hold what it held
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local stream = redis.call('XINFO', 'STREAM', KEYS[1])
local last
for i = 1, #stream, 2 do
  if stream[i] == 'last-generated-id' then
    last = tonumber(string.match(stream[i + 1], '^(%d+)-'))
  end
end
local place = tonumber(ARGV[1])
if last == place then return 1 end
if last ~= place - 1 then return 0 end
redis.call('XADD', KEYS[1], ARGV[1] .. '-0', 'items', ARGV[2])
return 1

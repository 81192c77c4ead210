"""What Redis does in one go: entries with their tags, leases, and their end."""

from __future__ import annotations

from typing import Final

#: Lists a key under tags until it ends; whoever ended before is crossed out. Times are
#: in seconds, "inf" for what never ends.
_LIST_UNDER: Final = """
local function list_under(tags, first, key, ends, now)
  for n = first, #tags do
    redis.call('ZADD', tags[n], 'GT', ends, key)
    redis.call('ZREMRANGEBYSCORE', tags[n], '-inf', '(' .. now)
    local last = redis.call('ZRANGE', tags[n], -1, -1, 'WITHSCORES')[2]
    if last == 'inf' then
      redis.call('PERSIST', tags[n])
    else
      redis.call('EXPIREAT', tags[n], math.ceil(tonumber(last)) + 1)
    end
  end
end
local function end_of(px, now)
  if tonumber(px) == 0 then return 'inf' end
  return tostring(now + math.ceil(px / 1000))
end
"""

#: Keys: an entry. Answers the text and the ms that are left, -1 for ever.
GET: Final = """
local text = redis.call('GET', KEYS[1])
if text then return {text, redis.call('PTTL', KEYS[1])} end
"""

#: Keys: the entry, its lease, its tags. Values: the text, its lifetime in ms or 0, the
#: token of the lease that it must still hold, or nothing. Answers whether it is kept.
SET: Final = (
    _LIST_UNDER
    + """
if ARGV[3] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[3] then return 0 end
redis.call('DEL', KEYS[2])
if tonumber(ARGV[2]) == 0 then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
local now = tonumber(redis.call('TIME')[1])
list_under(KEYS, 3, KEYS[1], end_of(ARGV[2], now), now)
return 1
"""
)

#: Keys as above. Values: a token, how long its holder may take in ms, how long an
#: entry is stale before it ends in ms. Answers the text if there is one, the ms for
#: which it is fresh (-1: for ever), and whether the lease is the caller's.
ENTER: Final = (
    _LIST_UNDER
    + """
local text = redis.call('GET', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
local stale = tonumber(ARGV[3])
if text and (left < 0 or left > stale) then
  return {text, left < 0 and -1 or left - stale, 0}
end
local mine = redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
if mine then
  local now = tonumber(redis.call('TIME')[1])
  list_under(KEYS, 3, KEYS[1], end_of(ARGV[2], now), now)
end
return {text, 0, mine and 1 or 0}
"""
)

#: Keys: a lease. Values: the token of whoever gives it up.
LEAVE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

#: Keys: a tag. Values: what leases are called. Answers the keys that were there.
END_TAG: Final = """
local ended = {}
for _, key in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  redis.call('UNLINK', key .. ARGV[1])
  if redis.call('UNLINK', key) == 1 then ended[#ended + 1] = key end
end
redis.call('UNLINK', KEYS[1])
return ended
"""

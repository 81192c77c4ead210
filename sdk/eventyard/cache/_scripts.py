"""What Redis does in one go: entries with their tags, leases, and their end."""

from __future__ import annotations

from typing import Final

#: Lists a key under tags until it ends; whoever ended before is crossed out. Times are
#: in ms, "inf" for what never ends.
_LIST_UNDER: Final = """
local function list_under(tags, first, key, ends, now)
  for n = first, #tags do
    redis.call('ZADD', tags[n], 'GT', ends, key)
    redis.call('ZREMRANGEBYSCORE', tags[n], '-inf', '(' .. now)
    local last = redis.call('ZRANGE', tags[n], -1, -1, 'WITHSCORES')[2]
    if last == 'inf' then
      redis.call('PERSIST', tags[n])
    else
      redis.call('PEXPIREAT', tags[n], string.format('%.0f', tonumber(last) + 1))
    end
  end
end
local function list_for(px, tags, first, key)
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local ends = tonumber(px) == 0 and 'inf' or string.format('%.0f', now + px)
  list_under(tags, first, key, ends, string.format('%.0f', now))
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
if tonumber(ARGV[2]) == 0 then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
-- Not before: a full Redis refuses only a script that wrote nothing yet.
redis.call('DEL', KEYS[2])
list_for(ARGV[2], KEYS, 3, KEYS[1])
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
if mine then list_for(ARGV[2], KEYS, 3, KEYS[1]) end
return {text, 0, mine and 1 or 0}
"""
)

#: Keys: a lease. Values: the token of whoever gives it up.
LEAVE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

#: Keys: a tag. Values: what leases are called, how many keys at most. Answers how many
#: were listed, and those that were there.
END_TAG: Final = """
local listed = redis.call('ZPOPMIN', KEYS[1], ARGV[2])
local ended = {}
for n = 1, #listed, 2 do
  redis.call('UNLINK', listed[n] .. ARGV[1])
  if redis.call('UNLINK', listed[n]) == 1 then ended[#ended + 1] = listed[n] end
end
return {#listed / 2, ended}
"""

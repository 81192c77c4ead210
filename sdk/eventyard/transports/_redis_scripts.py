"""What Redis does as one step, so that a crash leaves nothing half."""

from __future__ import annotations

from typing import Final

#: Appends a commit, unless its key is claimed; returns the ids of the first try then.
PUBLISH: Final = """
local known = redis.call('GET', KEYS[2])
if known then return known end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], '*', 'commit', ARGV[1])
redis.call('HINCRBY', KEYS[3], 'published', ARGV[5])
return false
"""

#: Answers a question that is still asked; 0: it is not.
REPLY: Final = """
if redis.call('DEL', KEYS[1]) == 0 then return 0 end
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('EXPIRE', KEYS[2], 60)
return 1
"""

#: Appends to a stream of the version that is expected (-1: of any), and to the log;
#: returns its version, or below 0 that it is another one: -1 less that.
APPEND: Final = """
local there = redis.call('LLEN', KEYS[1])
local expected = tonumber(ARGV[1])
if expected >= 0 and expected ~= there then return -there - 1 end
local commit = {}
for i = 3, #ARGV do
  redis.call('RPUSH', KEYS[1], ARGV[i])
  local version = there + i - 2
  commit[#commit + 1] = string.sub(ARGV[i], 1, -2) .. ',"version":' .. version .. '}'
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'commit',
  '[' .. table.concat(commit, ',') .. ']')
redis.call('HINCRBY', KEYS[3], 'published', #ARGV - 2)
return there + #ARGV - 2
"""

#: Keeps the highest of texts.
KEEP_HIGHEST: Final = """
local kept = redis.call('GET', KEYS[1])
if not kept or kept < ARGV[1] then redis.call('SET', KEYS[1], ARGV[1]) end
return true
"""

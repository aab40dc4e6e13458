import type { Json } from '../../../lib/plan/plan.ts'
import { Secret } from '../../../lib/plan/secrets.ts'
import { redis } from '../../../lib/sources/redis/index.ts'
import type { Source } from '../../../lib/sources/source.ts'
import type { Redis } from '../../testbed/index.ts'

/** A source for a server. */
export const sourceOf = (server: Redis, more: Partial<Parameters<typeof redis>[1]> = {}): Source =>
  redis('cache', { url: new Secret('REDIS_URL', server.url), ...more })

/** Every kind of value, short and long, in three databases; keys with a time to live of hours, and names and values that are no text. */
export const SHOP = `
local function key(n, ...) redis.call('SELECT', n) return redis.call(...) end
key(0, 'SET', 'greeting', 'grüße')
key(0, 'SET', 'number', '12345')
key(0, 'SET', 'long', string.rep('the same again, ', 400))
key(0, 'SET', 'huge', string.rep('x', 300000) .. 'end')
key(0, 'SET', 'key \\r\\n with \\0 zero', '\\0\\255\\r\\n')
key(0, 'SET', 'session', 'abc', 'PX', 7200000)
for i = 1, 40 do key(0, 'SET', 'session:' .. i, i, 'PX', 600000 * i + 5000000) end
for i = 1, 300 do
  key(0, 'RPUSH', 'list', 'element ' .. i, i, string.rep('l', i))
  key(0, 'SADD', 'set', 'member ' .. i)
  key(0, 'SADD', 'numbers', i * 100000)
  key(0, 'ZADD', 'ranks', i / 3, 'player ' .. i)
  key(0, 'HSET', 'hash', 'field ' .. i, string.rep('v', i))
  key(0, 'XADD', 'events', i .. '-1', 'field', 'value ' .. i, 'n', i)
end
key(0, 'RPUSH', 'few', 'a', '-5', '70000', '-3000000000', '123456789012345')
key(0, 'RPUSH', 'long element', string.rep('e', 20000), 'short')
key(0, 'SADD', 'few members', 'a', 'b', 'c')
key(0, 'SADD', 'few numbers', '1', '-2', '300')
key(0, 'ZADD', 'few ranks', '1.5', 'a', '-inf', 'b', 'inf', 'c', '3', 'd')
key(0, 'HSET', 'few fields', 'a', '1', 'b', string.rep('b', 60))
key(0, 'XGROUP', 'CREATE', 'events', 'readers', '0')
key(0, 'XREADGROUP', 'GROUP', 'readers', 'me', 'COUNT', '5', 'STREAMS', 'events', '>')
key(0, 'PFADD', 'visitors', 'a', 'b', 'c')
key(0, 'SETBIT', 'bits', 1000, 1)
key(1, 'SET', 'other', 'database')
key(3, 'HSET', 'third', 'a', 'b')
key(3, 'SET', 'soon', 'x', 'PX', 9000000)
return 'filled'`

/** All keys that are not a restore's own, with their values and the moments they expire, as clients read them: `DUMP` depends on the order in a hash table. */
export function everything(server: Redis): Json {
  const script = `
local function inOrder(list, width)
  local rows = {}
  for i = 1, #list, width do rows[#rows + 1] = width == 2 and cjson.encode({ redis.sha1hex(list[i]), redis.sha1hex(list[i + 1]) }) or redis.sha1hex(list[i]) end
  table.sort(rows)
  return rows
end
local read = {
  string = function(key) return redis.sha1hex(redis.call('GET', key)) end,
  list = function(key) return redis.call('LRANGE', key, 0, -1) end,
  set = function(key) return inOrder(redis.call('SMEMBERS', key), 1) end,
  hash = function(key) return inOrder(redis.call('HGETALL', key), 2) end,
  zset = function(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
  stream = function(key) return redis.sha1hex(redis.call('DUMP', key)) end,
}
local all = {}
for n = 0, 15 do
  redis.call('SELECT', n)
  if redis.call('EXISTS', '__runbooks__') == 0 then
    for _, key in ipairs(redis.call('KEYS', '*')) do
      local kind = redis.call('TYPE', key).ok
      all[#all + 1] = { n, redis.sha1hex(key), kind, redis.call('PEXPIRETIME', key), redis.sha1hex(cjson.encode(read[kind](key))) }
    end
  end
end
return cjson.encode(all)`
  const all = JSON.parse(server.command('EVAL', script, '0')) as Json[] | Record<string, never>
  return Array.isArray(all) ? all.map(row => JSON.stringify(row)).sort() : []
}

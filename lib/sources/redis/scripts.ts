/**
 * Scripts that the server runs as one command each: no other client sees a state in between, and the append-only file and the
 * replicas get all of their writes in one transaction, or none. Each answers with JSON.
 */

/** The key that marks a database as ours, with its run and what stands there; it never counts. */
export const MARK = '__runbooks__'

const PRELUDE = `
local MARK = '${MARK}'
local dbs, free, at, databases = {}, {}, {}, 0
while databases < 100000 and not redis.pcall('SELECT', databases).err do
  local keys = redis.call('DBSIZE')
  local mark = false
  if keys > 0 and redis.call('TYPE', MARK).ok == 'string' then mark = cjson.decode(redis.call('GET', MARK)) end
  local found = { db = databases, keys = keys - (mark and 1 or 0), mark = mark }
  if keys > 0 then dbs[#dbs + 1] = found else table.insert(free, 1, databases) end
  at[databases] = found
  databases = databases + 1
end
local function answer(value) return cjson.encode(value) end
local function ours(run, place)
  local found = {}
  for _, one in ipairs(dbs) do if one.mark and one.mark.run == run and one.mark.place == place then found[#found + 1] = one end end
  return found
end
local function put(db, mark)
  redis.call('SELECT', db)
  redis.call('SET', MARK, cjson.encode(mark))
end
local function unmark(db)
  redis.call('SELECT', db)
  redis.call('DEL', MARK)
end
`

/** Every database that holds anything, how many there are, and `INFO`. */
export const STATE = `${PRELUDE}
return answer({ databases = databases, dbs = dbs, info = redis.call('INFO') })`

/** `INFO` alone. */
export const INFO = `return cjson.encode({ info = redis.call('INFO') })`

/** Takes the highest empty database for what was database `of`; arguments run, place, of. */
export const CLAIM = `${PRELUDE}
local run, place, of = ARGV[1], ARGV[2], tonumber(ARGV[3])
for _, one in ipairs(ours(run, place)) do if one.mark.of == of then return answer({ error = 'taken', db = one.db }) end end
if at[of] == nil then return answer({ error = 'none', databases = databases }) end
if at[of].mark then return answer({ error = 'marked', db = of, run = at[of].mark.run }) end
for _, db in ipairs(free) do
  if db ~= of then
    put(db, { run = run, place = place, of = of, had = false, loaded = false })
    return answer({ db = db })
  end
end
return answer({ error = 'full', databases = databases })`

/** Says of a taken database that it was loaded; arguments database, run, place, what was loaded. */
export const LOADED = `${PRELUDE}
local one = at[tonumber(ARGV[1])]
if not one or not one.mark or one.mark.run ~= ARGV[2] or one.mark.place ~= ARGV[3] then return answer({ error = 'lost' }) end
one.mark.loaded = cjson.decode(ARGV[4])
one.mark.loaded.full = one.keys > 0
put(one.db, one.mark)
return answer({ keys = one.keys })`

/** What is beside becomes live, and live moves aside; a database that the backup does not have moves aside too. Argument run. */
export const SWAP = `${PRELUDE}
local run = ARGV[1]
local beside, aside = ours(run, 'beside'), ours(run, 'aside')
if #beside == 0 then return answer(#aside > 0 and { swapped = 0 } or { error = 'nothing' }) end
if #aside > 0 then return answer({ error = 'mixed' }) end
local comes = {}
for _, one in ipairs(beside) do
  if not one.mark.loaded then return answer({ error = 'half', db = one.db }) end
  if at[one.mark.of].mark then return answer({ error = 'marked', db = one.mark.of, run = at[one.mark.of].mark.run }) end
  comes[one.mark.of] = one
end
local goes = {}
for _, one in ipairs(dbs) do if not one.mark and not comes[one.db] then goes[#goes + 1] = one end end
local spare = {}
for _, db in ipairs(free) do if not comes[db] then spare[#spare + 1] = db end end
if #goes > #spare then return answer({ error = 'full', databases = databases }) end
for _, one in ipairs(beside) do
  unmark(one.db)
  redis.call('SWAPDB', one.mark.of, one.db)
  put(one.db, { run = run, place = 'aside', of = one.mark.of, had = at[one.mark.of].keys > 0, loaded = one.mark.loaded })
end
for i, one in ipairs(goes) do
  redis.call('SWAPDB', one.db, spare[i])
  put(spare[i], { run = run, place = 'aside', of = one.db, had = true, loaded = false })
end
return answer({ swapped = #beside + #goes })`

/** The reverse; what was written meanwhile into a database that the backup does not have stands beside too. Argument run. */
export const SWAP_BACK = `${PRELUDE}
local run = ARGV[1]
local beside, aside = ours(run, 'beside'), ours(run, 'aside')
if #aside == 0 then return answer(#beside > 0 and { swapped = 0 } or { error = 'nothing' }) end
if #beside > 0 then return answer({ error = 'mixed' }) end
for _, one in ipairs(aside) do
  if at[one.mark.of].mark then return answer({ error = 'marked', db = one.mark.of, run = at[one.mark.of].mark.run }) end
end
for _, one in ipairs(aside) do
  local loaded = one.mark.loaded
  if not loaded and at[one.mark.of].keys > 0 then loaded = { full = true } end
  unmark(one.db)
  redis.call('SWAPDB', one.mark.of, one.db)
  if loaded then put(one.db, { run = run, place = 'beside', of = one.mark.of, had = false, loaded = loaded }) end
end
return answer({ swapped = #aside })`

/** Empties the databases of a run in one place; arguments run, place. */
export const FLUSH = `${PRELUDE}
local found = ours(ARGV[1], ARGV[2])
for _, one in ipairs(found) do
  redis.call('SELECT', one.db)
  redis.call('FLUSHDB', 'ASYNC')
end
return answer({ flushed = #found })`

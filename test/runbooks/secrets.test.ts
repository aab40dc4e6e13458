import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { describeWith } from '../testbed/index.ts'
import { endWorlds, filesBelow, invoke, type Ran } from './kit.ts'
import { MARKER, PASSWORD, type Served, serve, shopRows, withEnv, withShop } from './servers.ts'

// Each starts many processes, and other test files run beside it.
vi.setConfig({ testTimeout: 240_000 })

/** Looks at the arguments of every process, and at the environment of those that the runbooks start, as often as it can until `stop`. */
function watchProcesses(secrets: readonly string[], testPid = process.pid) {
  const seen = new Set<string>()
  let looks = 0
  let over = false
  const read = (file: string) => {
    try {
      return readFileSync(file, 'latin1')
    } catch {
      return ''
    }
  }
  const look = () => {
    for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name) && Number(name) !== testPid)) {
      const argv = read(`/proc/${pid}/cmdline`)
      const name = argv.split('\0').slice(0, 3).join(' ')
      if (secrets.some(secret => argv.includes(secret))) seen.add(`argv of ${name}`)
      // The runbook itself was given its secrets so; what it starts gets none.
      if (/mongodump|mongorestore|bsondump/.test(argv.split('\0')[0] ?? '') && secrets.some(secret => read(`/proc/${pid}/environ`).includes(secret)))
        seen.add(`environment of ${name}`)
      if (/mongodump|mongorestore/.test(argv.split('\0')[0] ?? '')) tools.add(argv.split('\0')[0] ?? '')
    }
    looks += 1
    if (!over) setImmediate(look)
  }
  const tools = new Set<string>()
  look()
  return {
    stop() {
      over = true
      return { seen: [...seen], looks, tools: tools.size }
    },
  }
}

describeWith(['mongodb', 'mongodb-tools', 's3'], 'secrets', () => {
  let served: Served
  beforeAll(async () => {
    served = await serve(3_000)
  })
  afterAll(async () => {
    endWorlds()
    await Promise.all([served?.mongo.stop(), served?.store.stop()])
  })

  test('a password of quotes, spaces and percent signs works, and is in no argument, log, journal, report or object', async () => {
    const { mongo, store, world } = served
    const secrets = [MARKER, PASSWORD, encodeURIComponent(PASSWORD), store.secretKey]
    const watch = watchProcesses(secrets)
    const before = await shopRows(mongo)
    const runs: Ran[] = []
    const run = async (runbook: string, ...flags: string[]) => {
      const ran = await invoke(world, runbook, flags, withEnv(served))
      runs.push(ran)
      expect(ran.exit, `${runbook}: ${ran.stderr}`).toBe(0)
    }
    await run('backup', '--yes', '--verbose')
    await withShop(mongo, shop => shop.collection('orders').deleteMany({ n: { $gt: 5 } }))
    await run('restore', '--backup=latest', '--confirm=shop/local', '--writers-stopped=STOPPED', '--verbose')
    expect(await shopRows(mongo)).toBe(before)
    await run('restore-drill', '--backup=latest', '--yes', '--json')
    await run('backup-list', '--show-config')
    await run('doctor', '--json')
    const { seen, looks, tools } = watch.stop()
    expect([seen, looks > 50, tools]).toEqual([[], true, 2])

    runs.push(await invoke(world, 'backup', ['--yes'], withEnv(served, { SHOP_URI: `mongodb://op:${MARKER}wrong@127.0.0.1:${mongo.port}` })))
    runs.push(await invoke(world, 'backup', ['--yes'], withEnv(served, { S3_KEY: `${MARKER}\nwrong 'key' %0A` })))
    runs.push(await invoke(world, 'backup', ['--yes'], withEnv(served, { SHOP_URI: `mongodb://op:${MARKER}@@@:::bad` })))
    expect(runs.slice(-3).map(({ exit }) => exit === 0)).toEqual([false, false, false])
    const leaks = runs.flatMap(({ stdout, stderr }, i) => (secrets.some(secret => (stdout + stderr).includes(secret)) ? [`output of run ${i}`] : []))
    for (const file of filesBelow(world.folder)) if (secrets.some(secret => readFileSync(join(world.folder, file)).includes(secret))) leaks.push(file)
    // Every byte that the store holds, its shared state included.
    for (const file of filesBelow(store.folder))
      if (secrets.some(secret => readFileSync(join(store.folder, file)).includes(secret))) leaks.push(`store ${file}`)
    expect(leaks).toEqual([])
    expect(filesBelow(world.home).some(file => file.endsWith('report.html'))).toBe(true)
  })
})

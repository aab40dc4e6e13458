import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Recovery } from './kill.ts'
import { copyOf, invoke, journals } from './kit.ts'
import { bucketKeys, collections, type Served, shopRows, withEnv, withShop } from './servers.ts'

const FLAGS: Readonly<Record<string, readonly string[]>> = {
  backup: ['--yes'],
  restore: ['--backup=latest', '--confirm=shop/local', '--writers-stopped=STOPPED'],
}

/** Makes the database what no backup holds. */
export const changeShop = (served: Served) =>
  withShop(served.mongo, async shop => {
    await shop.collection('orders').deleteMany({ n: { $gt: 40 } })
    await shop.collection('users').insertOne({ name: `later ${Date.now()}` })
  })

/** Plays a runbook to its end and gives its steps' first journal lines by the kind of step: `copy` → 5. */
export async function stepsOf(served: Served, runbook: 'backup' | 'restore'): Promise<Map<string, number>> {
  const world = copyOf(served.world)
  const points = join(world.folder, 'points')
  const ran = await invoke(world, runbook, FLAGS[runbook], withEnv(served, {}, { points }))
  if (ran.exit !== 0) throw new Error(`exit ${ran.exit}: ${ran.stderr}`)
  const lines = readFileSync(points, 'utf8')
    .split('\n')
    .filter(line => line.startsWith('entry '))
  const found = new Map<string, number>()
  for (const line of lines) {
    const [, n, verb] = /^entry (\d+) .*"at":"intent","of":"([a-z.-]+)/.exec(line) ?? []
    if (n && verb && !found.has(verb)) found.set(verb, Number(n))
  }
  rmSync(world.folder, { recursive: true, force: true })
  await forgetAside(served)
  return found
}

/** What is wrong after a kill at a journal line and one recovery, on MongoDB and S3; empty when everything is as it must be. */
export async function killServed(served: Served, runbook: 'backup' | 'restore', point: string, recovery: Recovery): Promise<string[]> {
  const world = copyOf(served.world)
  const wrong: string[] = []
  const before = await shopRows(served.mongo)
  const died = await invoke(world, runbook, FLAGS[runbook], withEnv(served, {}, { die: point }))
  if (died.signal !== 'SIGKILL') wrong.push(`it did not die there: exit ${died.exit}: ${died.stderr}`)
  const run = journals(world.home).at(-1)?.run ?? ''
  const agreed = [`--${recovery}`, ...(FLAGS[runbook] ?? []).filter(flag => !flag.startsWith('--backup='))]
  const settled = await invoke(world, runbook, agreed, withEnv(served))
  if (settled.exit !== 0) wrong.push(`exit ${settled.exit}: ${settled.last}\n${settled.stderr}`)
  if (!settled.stderr.includes(run)) wrong.push('it does not say who died')
  const now = await shopRows(served.mongo)
  const goes = runbook === 'restore' && recovery === 'resume'
  if ((now === before) === goes) wrong.push(`the data is ${now === before ? 'the old' : 'not the old'}`)
  const beside = (await collections(served.mongo)).filter(name => /__restore_|__aside_/.test(name))
  if (beside.some(name => name.includes('__restore_')) || (beside.length > 0 && !goes)) wrong.push(`beside the data stands ${beside.join(', ')}`)
  wrong.push(...(await storeWrong(served)))
  const backup = await invoke(world, 'backup', ['--yes'], withEnv(served))
  if (backup.exit !== 0) wrong.push(`a new backup: exit ${backup.exit}: ${backup.stderr}`)
  rmSync(world.folder, { recursive: true, force: true })
  await forgetAside(served)
  return wrong.map(line => `${runbook} on the servers killed at ${point}, ${recovery}: ${line}`)
}

async function storeWrong(served: Served): Promise<string[]> {
  const keys = await bucketKeys(served.store)
  const points = new Map<string, string[]>()
  for (const key of keys.filter(key => !key.includes('/.state/') && !key.startsWith('unfinished'))) {
    const id = key.split('/')[2] ?? ''
    points.set(id, [...(points.get(id) ?? []), key])
  }
  return [
    ...keys.filter(key => key.startsWith('unfinished')),
    ...[...points].filter(([, objects]) => !objects.some(key => key.endsWith('/manifest.json'))).map(([id]) => `${id} has objects and no manifest`),
  ]
}

/** What a finished restore set aside is kept for a week; here each case begins without. */
const forgetAside = (served: Served) =>
  withShop(served.mongo, async shop => {
    for (const { name } of await shop.listCollections().toArray()) if (/__aside_|__restore_/.test(name)) await shop.collection(name).drop()
  })

import { setTimeout as sleep } from 'node:timers/promises'
import { count, spent } from '../lib/plan/durations.ts'
import type { Bundle, Platform } from '../lib/platforms/platform.ts'
import { type ComposeWorld, composeWorld, put } from '../test/platforms/compose/world.ts'
import { doing, perform, until } from '../test/platforms/conformance/kit.ts'
import { crowd, type Seen } from './crowd.ts'
import { median } from './measure.ts'
import { type Rival, rival } from './rivals.ts'
import { alarmsRow, type Row } from './rows.ts'

/** Requests under which weights are changed, and under which whole deploys are made. */
const CHANGED_UNDER = Number(process.env.BENCH_CHANGES ?? 200_000)
const DEPLOYED_UNDER = Number(process.env.BENCH_DEPLOYS ?? 1_000_000)
const TRIES = Number(process.env.BENCH_TRIES ?? 20)
/** Between two looks of the engine at what moves. */
const LOOK_MS = 250

const VERSIONS = ['1.0.0', '1.1.0', '1.2.0-crash', '1.3.0-slow'] as const
const web = (version: string) => ({ web: version, worker: '1.0.0' })

/** Releases on a real Docker engine behind a real nginx: verdicts, requests lost, times, beside Compose alone. */
export async function releases(): Promise<Row[]> {
  const world = await composeWorld()
  try {
    for (const version of VERSIONS) world.version('shop/web', version)
    world.version('shop/worker', '1.0.0')
    const platform = world.platform()
    const { bundle } = await put(platform, world.services, web('1.0.0'), 'blue')
    await settled(platform, bundle)
    await move(platform, 'blue')
    const alone = await rival(world, '1.0.0')
    try {
      return [
        await doomed(world, platform, alone),
        await falseAlarms(world, platform),
        ...(await costs(world, platform, alone)),
        await weightChanges(world, platform),
        await wholeDeploys(world, platform, alone),
      ]
    } finally {
      await alone.close()
    }
  } finally {
    await world.close()
  }
}

const verdictOn = (platform: Platform, { slot, release }: Bundle) => platform.verdict(slot, release, [], new Date(0).toISOString(), doing())

async function settled(platform: Platform, bundle: Bundle): Promise<void> {
  const seen = await until(
    () => verdictOn(platform, bundle),
    one => one.is !== 'moving',
  )
  if (seen.is !== 'settled') throw new Error(`${bundle.slot}: ${seen.because}`)
}

let generation = 0
async function move(platform: Platform, slot: string, percent = 100): Promise<void> {
  generation += 1
  await perform(platform.split?.move(slot, percent, `bench${generation}`) ?? [])
}

/** Whether users could come in through nginx to that slot, five times in a row. */
async function reached(world: ComposeWorld, platform: Platform, slot: string): Promise<void> {
  const headers = (await platform.split?.track(slot, doing())) ?? {}
  let right = 0
  await until(
    async () => {
      const response = await fetch(world.door, { headers }).catch(() => undefined)
      right = response?.ok ? right + 1 : 0
      return right
    },
    n => n >= 5,
  )
}

/** When the second death of a slot's `web` was, by Docker's own clock, in milliseconds. */
function secondDeath(world: ComposeWorld, release: string, sinceMs: number): number {
  const said = world.engine.docker(
    'events',
    ...['--since', String(Math.floor(sinceMs / 1000)), '--until', String(Math.ceil(Date.now() / 1000)), '--format', '{{.TimeNano}}'],
    ...['--filter', 'event=die', '--filter', `label=runbooks.release=${release}`],
  )
  return Number(said.split('\n')[1]) / 1e6
}

async function doomed(world: ComposeWorld, platform: Platform, alone: Rival): Promise<Row> {
  const late: number[] = []
  const fromStart: number[] = []
  for (let n = 0; n < TRIES; n += 1) {
    const began = Date.now()
    const { bundle } = await put(platform, world.services, web('1.2.0-crash'), 'green')
    const seen = await until(
      () => verdictOn(platform, bundle).finally(() => sleep(LOOK_MS)),
      one => one.is !== 'moving',
    )
    if (seen.is !== 'doomed') throw new Error(`a crash was called ${seen.is}`)
    const at = Date.now()
    fromStart.push(at - began)
    late.push(at - secondDeath(world, bundle.release, began))
    await perform(platform.remove('green'))
  }
  const noticed = await alone.up('1.2.0-crash', ['--no-deps', 'web'])
  await alone.up('1.0.0')
  const intime = late.filter(ms => ms <= 2_000).length
  return {
    name: 'crash at start to verdict, after its second exit',
    ours: `${spent(median(late))}, worst ${spent(Math.max(...late))}`,
    rival: `compose up --wait: exit ${noticed.code} after ${spent(noticed.ms)}, the old one gone; ours ${spent(median(fromStart))} from the start`,
    result: `${intime} of ${TRIES} ≤ 2 s`,
    required: `${TRIES} of ${TRIES}`,
    ok: intime === TRIES,
    figures: { late, fromStart, noticed },
  }
}

async function falseAlarms(world: ComposeWorld, platform: Platform): Promise<Row> {
  let alarms = 0
  for (let n = 0; n < TRIES; n += 1) {
    const { bundle } = await put(platform, world.services, web('1.3.0-slow'), 'green')
    const seen = await until(
      () => verdictOn(platform, bundle).finally(() => sleep(LOOK_MS)),
      one => one.is !== 'moving',
    )
    if (seen.is === 'doomed') alarms += 1
    await perform(platform.remove('green'))
  }
  return alarmsRow('slow but good starts called doomed', alarms, TRIES)
}

async function weightChanges(world: ComposeWorld, platform: Platform): Promise<Row> {
  const { bundle } = await put(platform, world.services, web('1.1.0'), 'green')
  await settled(platform, bundle)
  await reached(world, platform, 'green')
  const users = crowd(world.door)
  let changes = 0
  while (changes < 40 || users.asked() < CHANGED_UNDER) {
    await move(platform, 'green', [10, 50, 100, 0][changes % 4])
    changes += 1
    await sleep(200)
  }
  const seen = await users.goHome()
  await move(platform, 'blue')
  return lostRow(`${changes} weight changes`, seen, '')
}

const lostRow = (name: string, { asked, failed }: Seen, rival: string): Row => ({
  name: `requests lost over ${name}`,
  ours: `${count(failed)} of ${count(asked)}`,
  rival,
  result: String(failed),
  required: '0',
  ok: failed === 0,
  figures: { asked, failed, rival },
})

/** Both slots in turn, each deploy from nothing to the old slot stopped, until enough was asked. */
async function wholeDeploys(world: ComposeWorld, platform: Platform, alone: Rival): Promise<Row> {
  const users = crowd(world.door)
  let deploys = 0
  while (deploys < 4 || users.asked() < DEPLOYED_UNDER) {
    await deploy(world, platform, VERSIONS[(deploys + 1) % 2] ?? '1.0.0')
    deploys += 1
  }
  const seen = await users.goHome()
  const [inPlace, rollout] = [await alone.inPlace('1.1.0'), await alone.rollout('1.0.0')]
  const others = `compose up --wait in place: ${count(inPlace.failed)} of ${count(inPlace.asked)}; scale, wait, remove: ${count(rollout.failed)} of ${count(rollout.asked)}, in one deploy each`
  return lostRow(`${deploys} whole deploys`, seen, others)
}

async function deploy(world: ComposeWorld, platform: Platform, version: string): Promise<void> {
  const { serving, idle } = await platform.standing(doing())
  const { bundle } = await put(platform, world.services, web(version), idle)
  await settled(platform, bundle)
  await reached(world, platform, idle)
  await move(platform, idle)
  await until(
    () => platform.split!.drained(serving ?? '', doing()),
    ({ state }) => state.open === 0,
  )
  await perform(platform.stop(serving ?? ''))
}

/** What a deploy costs from its start until it serves, over Compose alone; and going back to the slot that stands stopped. */
async function costs(world: ComposeWorld, platform: Platform, alone: Rival): Promise<Row[]> {
  const [ours, raw, back]: [number[], number[], number[]] = [[], [], []]
  for (let n = 0; n < 5; n += 1) {
    const { serving, idle } = await platform.standing(doing())
    const [other, next] = [serving ?? '', VERSIONS[n % 2] ?? '1.0.0']
    const began = performance.now()
    const { bundle } = await put(platform, world.services, web(next), idle)
    await settled(platform, bundle)
    await reached(world, platform, idle)
    await move(platform, idle)
    ours.push(performance.now() - began)
    await perform(platform.stop(other))
    const old = (await platform.slot(other, doing())).release ?? ''
    const confirmed = performance.now()
    await perform(platform.start({ ...bundle, slot: other, release: old }, []))
    await settled(platform, { ...bundle, slot: other, release: old })
    await reached(world, platform, other)
    await move(platform, other)
    back.push(performance.now() - confirmed)
    raw.push((await alone.up(next, ['--force-recreate', '--no-deps', 'web'])).ms)
    await perform(platform.remove(idle))
  }
  const over = median(ours) - median(raw)
  const [cost, rollback] = [median(ours), median(back)]
  return [
    {
      name: 'deploy, from its start until it serves',
      ours: spent(cost),
      rival: `compose up --wait of one service: ${spent(median(raw))}`,
      result: `+${spent(Math.max(0, over))}`,
      required: '≤ 1.0 s over',
      ok: over <= 1_000,
      figures: { ours, raw },
    },
    {
      name: 'rollback, from confirm until it serves',
      ours: spent(rollback),
      rival: '',
      result: spent(rollback),
      required: '≤ 3.0 s',
      ok: rollback <= 3_000,
      figures: { back },
    },
  ]
}

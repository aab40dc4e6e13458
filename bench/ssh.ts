import { chmodSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { spent } from '../lib/plan/durations.ts'
import { Secret } from '../lib/plan/secrets.ts'
import type { Platform } from '../lib/platforms/platform.ts'
import { composeWorld, put } from '../test/platforms/compose/world.ts'
import { doing, judged, move } from '../test/platforms/conformance/kit.ts'
import { sshd } from '../test/testbed/sshd.ts'
import { measure, median } from './measure.ts'
import type { Row } from './rows.ts'

/** Longest time for it, in milliseconds. */
const MOST_MS = 500

/** A real Docker host behind a real sshd, with a release that serves: what stands before the first plan of a deploy, over a connection that is there. */
export async function overSsh(rounds: number): Promise<Row[]> {
  const world = await composeWorld()
  // An ordinary user who may use Docker, and has a folder for the stack.
  chmodSync(world.engine.folder, 0o711)
  chmodSync(join(world.engine.folder, 'docker.sock'), 0o666)
  chmodSync(dirname(world.directory), 0o711)
  chmodSync(world.directory, 0o777)
  const server = await sshd({ settings: { SetEnv: `DOCKER_HOST=${world.engine.address}` } })
  const platform = world.platform({
    host: `ssh://${server.user}@127.0.0.1:${server.port}`,
    key: new Secret('SSH_KEY', server.key),
    knownHosts: server.knownHosts,
  })
  try {
    for (const { image } of world.services) world.version(image, '1.0.0')
    const { bundle, since } = await put(platform, world.services, {}, 'blue')
    const seen = await judged(platform, bundle, since)
    if (seen.is !== 'settled') throw new Error(`the release is ${seen.is}: ${seen.because}`)
    await move(platform, 'blue', 100)
    const ours: number[] = []
    const raw: number[] = []
    for (let n = 0; n < rounds; n += 1) {
      ours.push(await timed(() => lockAndFacts(platform)))
      raw.push((await measure('ssh', rawArgv(server), {})).ms)
    }
    const took = median(ours)
    const row: Row = {
      name: 'lock and facts of an SSH host, connection standing',
      ours: `${spent(took)}, worst ${spent(Math.max(...ours))}`,
      rival: `ssh … docker version, connection made anew: ${spent(median(raw))}`,
      result: spent(took),
      required: `≤ ${spent(MOST_MS)}`,
      ok: took <= MOST_MS,
      figures: { ours, raw },
    }
    return [row]
  } finally {
    await platform.close?.()
    await server.stop()
    await world.close()
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

/** Takes a lease and looks at everything, as a deploy does before its plan. */
async function lockAndFacts(platform: Platform): Promise<void> {
  const cell = platform.cell('bench')
  const { version } = await cell.read()
  await cell.write(`{"at":"${Date.now()}"}`, version)
  const [facts, { serving }] = await Promise.all([platform.facts(doing()), platform.standing(doing())])
  if (facts.state !== 'answers') throw new Error(`the host is ${facts.state}: ${facts.because}`)
  if (serving !== 'blue') throw new Error(`${serving} serves`)
}

function rawArgv({ user, port, keyFile, knownHosts }: Awaited<ReturnType<typeof sshd>>): string[] {
  const options = ['-o', `UserKnownHostsFile=${knownHosts}`, '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes']
  return ['-i', keyFile, ...options, '-p', String(port), `${user}@127.0.0.1`, 'docker version']
}

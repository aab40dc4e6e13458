import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { begin, newWorld, type Ran, removeWorld, type World } from '../run/toys/invoke.ts'
import { type Recorder, recorder } from './recorder.ts'

/** What the webhook is told: the object of `--json` and the kind of message. */
export type Hooked = {
  readonly event: string
  readonly severity: string
  readonly exit: number | null
  readonly why: string | null
  readonly [key: string]: unknown
}

/** A toy world whose runs are watched by a webhook (`/hook…`) and a dead man's switch (`/ping…`). */
export type Watched = {
  readonly world: World
  readonly server: Recorder
  /** What to give to a toy besides. */
  readonly env: Readonly<Record<string, string>>
  run(flags?: readonly string[], more?: Record<string, string>): Promise<Ran>
  begin(flags?: readonly string[], more?: Record<string, string>): ReturnType<typeof begin>
  hooked(): Hooked[]
  /** The ends of the pinged addresses, in order: '/start', '' for success, '/fail'. */
  pings(): string[]
  end(): Promise<void>
}

/** A new world with its own recorder. */
export async function watched(): Promise<Watched> {
  const world = newWorld()
  mkdirSync(join(world.home, 'metrics'), { recursive: true })
  const server = await recorder()
  const env = {
    RUNBOOKS_CONFIG: join(import.meta.dirname, 'config'),
    WATCH_HOOK: `${server.url}/hook/secret-4711`,
    WATCH_PING: `${server.url}/ping/secret-0815`,
  }
  const go: Watched['begin'] = (flags = ['--yes'], more = {}) => begin(world, flags, { ...env, ...more })
  return {
    world,
    server,
    env,
    begin: go,
    run: (flags, more) => go(flags, more).ran,
    hooked: () => server.requests.filter(({ path }) => path.startsWith('/hook')).map(({ body }) => JSON.parse(body)),
    pings: () => server.requests.flatMap(({ path }) => /^\/ping\/secret-0815(.*)$/.exec(path)?.[1] ?? []),
    async end() {
      await server.end()
      removeWorld(world)
    },
  }
}

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parse } from 'dotenv'
import { type Invoke, invoke, type Ran, ROOT, type World, worldAt } from '../runbooks/kit.ts'
import { find } from '../testbed/tools.ts'

/** One environment of a stack of config/, in a folder of its own, with its store and its settings pointed at servers of the testbed. */
export type Site = {
  readonly world: World
  /** `<stack>/<environment>`. */
  readonly subject: string
  run(runbook: string, ...flags: string[]): Promise<Ran>
  end(): void
}

/** One whose runs can also be ended at a point, or get other variables, as `invoke` has it. */
export type PlayedSite = Site & { play(how: Invoke, runbook: string, ...flags: string[]): Promise<Ran> }

/** What is another in a test than in production: texts of the stack file, and the values of its settings. */
export type Wanted = {
  readonly stack: string
  readonly environment: string
  /** Each text must stand in the stack file, and is replaced wherever it does. */
  readonly replace: Readonly<Record<string, string>>
  /** Settings of the example file; one that is given nothing stays unset. A function gets the example's own value, and the folder. */
  readonly settings: Readonly<Record<string, string | ((example: string, folder: string) => string)>>
  /** Of the process, beside PATH, HOME and the folders. */
  readonly env?: Readonly<Record<string, string>>
}

const TOOLS = ['mongodump', 'mongorestore', 'psql', 'pg_dump', 'redis-cli', 'redis-server', 'docker']

/** Copies config/<stack>.ts and writes the env file that belongs to it; throws for a text or a setting that the stack does not have. */
export function newSite({ stack, environment, replace, settings, env = {} }: Wanted): PlayedSite {
  const world = worldAt(mkdtempSync(join(tmpdir(), `runbooks-${stack}-`)))
  for (const folder of [world.home, world.config]) mkdirSync(folder)
  let text = readFileSync(join(ROOT, `config/${stack}.ts`), 'utf8')
  for (const [from, to] of Object.entries(replace)) {
    if (!text.includes(from)) throw new Error(`config/${stack}.ts has no ${from}`)
    text = text.replaceAll(from, () => to)
  }
  const example = parse(readFileSync(join(ROOT, `config/${stack}.example.env`)))
  const strange = Object.keys(settings).find(name => !(name in example))
  if (strange !== undefined) throw new Error(`config/${stack}.example.env has no ${strange}`)
  const lines = Object.entries(example).map(([name, value]) => {
    const set = settings[name] ?? ''
    return `${name}=${typeof set === 'string' ? set : set(value, world.folder)}\n`
  })
  writeFileSync(join(world.config, 'package.json'), '{"type":"module"}')
  writeFileSync(join(world.config, `${stack}.ts`), text)
  writeFileSync(join(world.config, `${stack}.${environment}.env`), lines.join(''), { mode: 0o600 })
  const tools = [...new Set(TOOLS.flatMap(tool => find(tool) ?? []).map(file => dirname(file)))]
  const all = { PATH: [...tools, dirname(process.execPath), '/usr/bin', '/bin'].join(':'), ...env }
  const target = [`--stack=${stack}`, `--environment=${environment}`]
  return {
    world,
    subject: `${stack}/${environment}`,
    run: (runbook, ...flags) => invoke(world, runbook, [...target, ...flags], { env: all, bare: true }),
    play: (how, runbook, ...flags) => invoke(world, runbook, [...target, ...flags], { ...how, env: { ...all, ...how.env }, bare: true }),
    end: () => rmSync(world.folder, { recursive: true, force: true }),
  }
}

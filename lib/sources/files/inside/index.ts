import { basename, join } from 'node:path'
import { quote } from '../../../exec/command.ts'
import { placeName, type ServicePlace } from '../../../exec/place.ts'
import { stdoutOf } from '../../../exec/process.ts'
import { Trouble } from '../../../plan/outcome.ts'
import type { Action, Doing } from '../../../plan/plan.ts'
import { nothingAt, runsAmong, type Spots, spotOf, spots } from '../../places.ts'
import type { PartFacts, Source } from '../../source.ts'
import { Tally } from '../tally.ts'
import { entriesOf } from '../unpack.ts'
import { contentInside, dumpInside, loadInside } from './archive.ts'
import { LOOK, NAMES, PRESENCE, REMOVE, SWAP, SWAP_BACK } from './scripts.ts'
import { insideTrouble, scripted, told, typed } from './shell.ts'

/** A folder inside a service, as seen from there. */
export type InsideOptions = { readonly directory: string; readonly scratch?: string | undefined; readonly in: ServicePlace }

/**
 * A folder inside a service, through its own sh, tar, find and stat (GNU or BusyBox); nothing is mounted here.
 * The archive is what that tar makes: what is no file, folder or symbolic link ends the backup. Throws Trouble(2) for a relative path.
 */
export function filesInside(name: string, options: InsideOptions): Source {
  const place = options.in
  const relative = [options.directory, options.scratch].find(path => path !== undefined && !path.startsWith('/'))
  if (relative !== undefined)
    throw new Trouble(2, `${name}: ${relative} is a path inside the service ${place.service}, so it must be absolute, as /srv/media`)
  const at = spots(options.directory, options.scratch)
  const where = `${placeName(place)} ${at.live}`
  const moving = (run: string) => [at.live, at.beside(run), at.aside(run), at.nothing(run)]
  const renames = (...pairs: readonly (readonly [string, string])[]) => pairs.map(([from, to]) => typed(place, 'mv', from, to)).join(' && ')
  const action = (prints: string, script: string, paths: readonly string[]): Action => ({
    kind: 'command',
    prints,
    run: async doing => void (await told(place, script, paths, doing)),
  })
  const removal = (paths: readonly string[], folders: readonly string[] = []) =>
    action(typed(place, 'rm', '-rf', paths[0] ?? ''), REMOVE, [...paths, '--', ...folders])
  return {
    name,
    kind: 'files',
    where,
    ending: 'tar',
    byHand: [`mkdir ${quote(basename(at.live))} && tar -x -p -f - -C ${quote(basename(at.live))}`],
    facts: doing => factsOf({ name, kind: 'files', where }, place, at, doing),
    dump: () => dumpInside(place, at),
    examine: async (bytes, doing) => {
      const tally = new Tally()
      for await (const entry of entriesOf(bytes, tally, doing)) for await (const _ of entry.bytes);
      return tally.content()
    },
    load: (to, run) => loadInside(place, at, to, run),
    content: async (of, run, doing) => (await contentInside(place, spotOf(at, of, run), doing)) ?? nothingAt(at, of, run),
    async presence(run, doing) {
      const found = await told(place, PRESENCE, [at.live, at.beside(run), at.aside(run), at.drill(run)], doing)
      const [live = 0, beside = 0, aside = 0, scratch = 0] = [...found].map(Number)
      return { live, beside, aside, scratch }
    },
    unload: (of, run) => removal([spotOf(at, of, run)], of === 'scratch' ? [at.scratch] : []),
    swap: run => action(renames([at.live, at.aside(run)], [at.beside(run), at.live]), SWAP, moving(run)),
    swapBack: run => action(renames([at.live, at.beside(run)], [at.aside(run), at.live]), SWAP_BACK, moving(run)),
    forget: run => removal([at.aside(run), at.nothing(run)]),
    async remains(doing) {
      const names = (await told(place, NAMES, [`${at.live}__`, join(at.scratch, `${basename(at.live)}__`)], doing)).split('\0')
      return runsAmong(at, names, names)
    },
  }
}

/** Raw modes of the kinds of things, as stat prints them in hexadecimal. */
const KINDS: Readonly<Record<string, 'files' | 'directories' | 'links'>> = { '8': 'files', '4': 'directories', a: 'links' }

async function factsOf(own: Pick<PartFacts, 'name' | 'kind' | 'where'>, place: ServicePlace, at: Spots, doing: Doing): Promise<PartFacts> {
  const blank = { ...own, tools: [], sizeBytes: 0, counts: {} }
  try {
    const found = await lookInside(place, at.live, doing)
    if (found.is === 'missing') return { ...blank, state: 'missing', because: `${at.live} does not exist inside ${place.service}` }
    if (found.is !== 'folder')
      return { ...blank, state: 'denied', because: `${at.live} is ${found.is === 'link' ? 'a link: name the folder it leads to' : 'not a folder'}` }
    const { tar, counts, sizeBytes, newest } = found
    const mend = tar === null ? { mend: `put tar into the image of ${place.service}` } : {}
    const tools = [{ name: 'tar', version: tar, ...mend }]
    return { ...blank, state: 'answers', tools, sizeBytes, counts, ...(newest > 0 ? { newest: new Date(newest * 1000).toISOString() } : {}) }
  } catch (error) {
    doing.signal.throwIfAborted()
    if (!(error instanceof Trouble)) throw error
    return { ...blank, state: error.exit === 4 ? 'denied' : 'unreachable', because: error.message }
  }
}

async function lookInside(place: ServicePlace, path: string, doing: Doing) {
  const counts = { files: 0, directories: 0, links: 0 }
  const found = { is: '', tar: null as string | null, counts, sizeBytes: 0, newest: 0 }
  let line = 0
  for await (const text of linesOf(place, path, doing)) {
    line += 1
    if (line === 1) found.is = text
    else if (line === 2) found.tar = /([\d.]+\S*)/.exec(text)?.[1] ?? null
    else {
      const [mode = '', size = 0, time = 0] = text.split(' ').map((word, i) => (i === 0 ? word : Number(word))) as [string, number, number]
      const kind = KINDS[mode.slice(0, -3)]
      if (kind) counts[kind] += 1
      if (kind !== 'files') continue
      found.sizeBytes += size
      if (time * 1000 <= Date.now()) found.newest = Math.max(found.newest, time)
    }
  }
  return found
}

async function* linesOf(place: ServicePlace, path: string, doing: Doing): AsyncGenerator<string> {
  let rest = ''
  try {
    for await (const chunk of stdoutOf(scripted(place, LOOK, [path], false), doing)) {
      const lines = (rest + chunk.toString('latin1')).split('\n')
      rest = lines.pop() ?? ''
      yield* lines
    }
  } catch (error) {
    throw insideTrouble(error, place)
  }
}

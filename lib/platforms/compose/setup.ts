import type { Doing } from '../../plan/plan.ts'
import type { Setup, SetupState, SetupWork, Survey } from '../setup.ts'
import { edgeDifference, edgeIsUp, FIND_NGINX } from './edge.ts'
import { factsOf } from './facts.ts'
import { edgeArgv, pathsOf, type Site } from './site.ts'
import { action, done, looked, typed } from './there.ts'

/** Prints `private` when folder $1 is there and for its owner alone. */
const LOOK_ROOT = '[ "$(stat -c %a -- "$1" 2>/dev/null)" = 700 ] && echo private; exit 0'

/** Makes folder $1, and what is missing above it, for its owner alone. */
const MAKE_ROOT = 'umask 077 && mkdir -p -- "$1" && chmod 700 -- "$1"'

/** Prints what is there of project $1 with its files in folder $2. */
const LOOK = `${FIND_NGINX}
[ ! -f "$2/files/edge.yaml" ] || echo files
found=$(nginx_of "$1") || exit 9
[ -z "$found" ] || echo running`

const FILES = 'files and secrets'
const RUNNING = 'network, front door and databases'

/** Makes the folders of a host, the files and secrets of the front door, and brings it up; what runs is left alone. */
export function setupOf(site: Site): Setup {
  const { edge, root } = pathsOf(site)
  const { project } = site.options
  const states = async (doing: Doing): Promise<Record<string, SetupState>> => {
    const words = (await looked(site, LOOK, doing, [project, edge])).split('\n')
    return { [FILES]: words.includes('files') ? 'right' : 'missing', [RUNNING]: words.includes('running') ? 'right' : 'missing' }
  }
  const chosen = async ({ things }: SetupWork, doing: Doing) =>
    Object.fromEntries(Object.entries(await states(doing)).filter(([name]) => name in things))
  return {
    survey: (_, doing) => surveyed(site, states, doing),
    ground: async doing => void (await done(site, 'making the folders', MAKE_ROOT, doing, [root])),
    states: chosen,
    make: () => [edgeIsUp(site)],
    unmake: ({ things }) => {
      const down = [...edgeArgv(site), 'down']
      const wanted = [...(RUNNING in things ? [typed('docker', ...down)] : []), ...(FILES in things ? [typed('rm', '-rf', edge)] : [])]
      return [
        action(wanted.join(' && '), async doing => {
          if (RUNNING in things) await done(site, 'taking the front door down', '[ ! -d "$1" ] || { shift; docker "$@"; }', doing, [edge, ...down])
          if (FILES in things) await done(site, 'removing the files of the front door', 'rm -rf -- "$1"', doing, [edge])
        }),
      ]
    },
    ready: async () => ({ state: { ready: true }, is: 'settled' }),
  }
}

async function surveyed(site: Site, states: (doing: Doing) => Promise<Record<string, SetupState>>, doing: Doing): Promise<Survey> {
  const { root } = pathsOf(site)
  const facts = await factsOf(site, doing)
  const old = facts.tools.find(({ mend, version }) => mend !== undefined || version === null)
  const needs = [
    {
      title: 'Docker answers',
      holds: facts.state === 'answers' && old === undefined,
      because: facts.state === 'answers' ? `${old?.name} ${old?.version ?? 'is missing'}` : `${site.where}: ${facts.because ?? facts.state}`,
      ...(facts.mend === undefined && old?.mend === undefined ? {} : { mend: facts.mend ?? old?.mend ?? '' }),
    },
  ]
  if (facts.state !== 'answers') return { needs, ground: null, parts: [], unready: false, stays: [] }
  const [found, differs] = await Promise.all([states(doing), edgeDifference(site, doing)])
  const isPrivate = (await looked(site, LOOK_ROOT, doing, [root])).trim() === 'private'
  const missing = Object.entries(found).filter(([, is]) => is === 'missing')
  const same = Object.fromEntries(missing.map(([name]) => [name, '']))
  return {
    needs,
    ground: isPrivate ? null : root,
    parts: missing.length === 0 ? [] : [{ phase: 'edge', of: site.options.project, things: same, states: Object.fromEntries(missing), says: same }],
    unready: false,
    stays: differs.map(name => `${name} of the front door is other on the host than here`),
  }
}

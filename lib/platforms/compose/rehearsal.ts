import type { Doing } from '../../plan/plan.ts'
import { Secret, textOf } from '../../plan/secrets.ts'
import type { Bundle, Door, SlotState } from '../platform.ts'
import { type Given, type Instead, REHEARSAL, type RehearsalPlace, type Rehearsals } from '../rehearsal.ts'
import { containersIn } from './containers.ts'
import { type Files, filesIn } from './draft.ts'
import { nothingShared } from './mounts.ts'
import { placed } from './place-files.ts'
import { envFile, envValues, pathsOf, projectOf, type Site, STAND_INS, slotArgv } from './site.ts'
import { once, plainDocker, up } from './slots.ts'
import { pinned } from './stage.ts'
import { slotState } from './standing.ts'
import { action, done, looked } from './there.ts'
import { verdictOn } from './verdict.ts'

/** The folder of all rehearsals on the host; each run has one inside, laid out as that of the stack. */
const folderOf = (site: Site): string => `${pathsOf(site).root}/${REHEARSAL}`

/** Rehearsals on a host: a third Compose project that nginx has no name for, with files of its own. */
export const rehearsalsOf = (site: Site): Rehearsals => ({
  given: (bundle, doing) => given(site, bundle, doing),
  at: run => placeOf(site, run),
})

/** Prints the files of release folder $1 that hold settings, a line each: name and base64. */
const SETTINGS = `cd -- "$1" || exit 9
for one in environment release.env secrets/*; do [ ! -f "$one" ] || echo "$one $(base64 <"$one" | tr -d '\\n')"; done
exit 0`

async function given(site: Site, { release, secrets }: Bundle, doing: Doing): Promise<Given> {
  const files = await settingsOf(site, release, doing)
  const variables = ['environment', 'release.env'].flatMap(name => Object.entries(envValues(files[name] ?? Buffer.alloc(0))))
  const values = variables.map(([name, value]) => [name, name in secrets ? new Secret(name, value) : value] as const)
  const read = Object.entries(files).flatMap(([file, bytes]) => {
    const name = /^secrets\/(.+)$/.exec(file)?.[1]
    return name === undefined ? [] : [[name, new Secret(name, bytes.toString())] as const]
  })
  return Object.fromEntries([...values, ...read])
}

async function settingsOf(site: Site, release: string, doing: Doing): Promise<Files> {
  const lines = (await looked(site, SETTINGS, doing, [pathsOf(site).release(release)])).split('\n').filter(Boolean)
  return Object.fromEntries(lines.map(line => [line.slice(0, line.indexOf(' ')), Buffer.from(line.slice(line.indexOf(' ') + 1), 'base64')]))
}

function placeOf(live: Site, run: string): RehearsalPlace {
  const site: Site = { ...live, options: { ...live.options, directory: `${folderOf(live)}/${run}` } }
  const project = projectOf(live, REHEARSAL)
  const aside = (bundle: Bundle): Bundle => ({ ...bundle, slot: REHEARSAL })
  return {
    put: (bundle, instead) => [
      action(
        `${pathsOf(live).release(bundle.release)} → ${pathsOf(site).release(bundle.release)}, with its own ${instead.names.join(', ')}`,
        doing => put(live, site, aside(bundle), instead, doing),
        'transfer',
      ),
    ],
    there: async doing => (await looked(site, THERE, doing, [pathsOf(site).releases])).split('\n').filter(Boolean).sort(),
    start: (bundle, without) => [up(site, aside(bundle), without)],
    stop: () => [plainDocker(live, 'ending the rehearsal', ['compose', '-p', project, 'down', '--remove-orphans', '--volumes'])],
    state: doing => stateOf(live, project, doing),
    verdict: ({ release }, without, since, doing) => verdictOn(site, REHEARSAL, release, without, since, doing),
    once: (bundle, service, argv) => once(site, aside(bundle), service, argv),
    door: (service, doing) => doorOf(live, project, service, doing),
    remove: () => [
      action(`docker compose -p ${project} down --remove-orphans --volumes && rm -rf ${folderOf(live)}`, async doing => {
        await done(live, 'removing the rehearsal', REMOVE, doing, [project, folderOf(live)])
        return undefined
      }),
    ],
    gone: async doing => (await looked(live, LEFT, doing, [project, folderOf(live)])).trim() === '',
  }
}

const THERE = 'cd -- "$1" 2>/dev/null || exit 0; for one in *; do [ -f "$one/release.yaml" ] && echo "$one"; done; exit 0'

/** Also volumes that the rehearsal's own project made go: nothing else is in it. */
const REMOVE = `docker compose -p "$1" down --remove-orphans --volumes || exit
rm -rf -- "$2"`

/** Prints what is left of project $1, and folder $2. */
const LEFT = `docker ps -aq --filter "label=com.docker.compose.project=$1" || exit 9
[ ! -e "$2" ] || echo "$2"`

/** Copies release folder $1 to $2, and then puts the files there that come on stdin as those of PLACE do. */
const COPY = `umask 077
mkdir -p -- "\${2%/*}" && rm -rf -- "$2" && cp -a -- "$1" "$2" || exit 1
while read -r mode bytes name; do
printf %s "\${bytes#.}" | base64 -d >"$2/$name.new" && chmod "$mode" "$2/$name.new" && mv -f -- "$2/$name.new" "$2/$name" || exit 1
done`

const NONE = Buffer.from('services: {}\n')

async function put(live: Site, site: Site, bundle: Bundle, instead: Instead, doing: Doing): Promise<undefined> {
  const [from, to] = [pathsOf(live).release(bundle.release), pathsOf(site).release(bundle.release)]
  const [kept, values, standIns] = await Promise.all([
    settingsOf(live, bundle.release, doing),
    instead.read(doing),
    filesIn(live, name => name === STAND_INS),
  ])
  const files = Object.entries(values).flatMap(([name, value]) =>
    kept[`secrets/${name}`] ? [[`secrets/${name}`, Buffer.from(textOf(value))] as const] : [],
  )
  const variables = {
    ...envValues(kept['release.env'] ?? Buffer.alloc(0)),
    ...Object.fromEntries(Object.entries(values).flatMap(([name, value]) => (kept[`secrets/${name}`] ? [] : [[name, textOf(value)]]))),
    SLOT: REHEARSAL,
    SECRETS_DIR: `${to}/secrets`,
  }
  const ports = (service: string) => {
    const port = live.setting.services.find(({ name }) => name === service)?.port
    return port === undefined ? {} : { ports: [`127.0.0.1::${port}`] }
  }
  const own: Files = {
    ...Object.fromEntries(files),
    'release.env': Buffer.from(envFile(variables)),
    'release.yaml': pinned(bundle, ports),
    [STAND_INS]: standIns[STAND_INS] ?? NONE,
  }
  await done(live, 'copying the release', COPY, doing, [from, to], placed(own))
  const paths = Object.values(values).map(textOf)
  await nothingShared(site, slotArgv(site, bundle.release, REHEARSAL), [to, ...paths], doing)
  return undefined
}

async function stateOf(site: Site, project: string, doing: Doing): Promise<SlotState> {
  const { containers } = await containersIn(site, [project], pathsOf(site).split, doing)
  const ours = containers.filter(({ service }) => site.setting.services.some(({ name }) => name === service))
  // A stand-in is of no release, whichever container was made last; where nothing else is left, it still stands there.
  return { ...slotState(containers), ...(ours.length > 0 ? { release: slotState(ours).release } : {}) }
}

/** Prints where port $3 of service $2 of project $1 is published. */
const PORT = `id=$(docker ps -q --filter "label=com.docker.compose.project=$1" --filter "label=com.docker.compose.service=$2" --filter label=com.docker.compose.oneoff=False | head -n 1)
[ -z "$id" ] || docker port "$id" "$3/tcp" 2>/dev/null
exit 0`

async function doorOf(site: Site, project: string, service: string, doing: Doing): Promise<Door | null> {
  const port = site.setting.services.find(({ name }) => name === service)?.port
  if (port === undefined) return null
  const [, published] = /:(\d+)$/m.exec(await looked(site, PORT, doing, [project, service, String(port)])) ?? []
  return published === undefined ? null : { url: `http://127.0.0.1:${await site.host.port(Number(published), doing)}`, headers: {} }
}

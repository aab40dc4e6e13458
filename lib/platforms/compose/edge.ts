import { canonical } from '../../plan/nodes.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Action, Doing } from '../../plan/plan.ts'
import { redact } from '../../plan/secrets.ts'
import { edgeFiles, hashes, variables } from './draft.ts'
import { PLACE, placed, secretFiles } from './place-files.ts'
import { edgeArgv, envFile, pathsOf, type Site } from './site.ts'
import { splitFile } from './split-file.ts'
import { action, done, looked, typed, typedThere } from './there.ts'

/** The service of edge.yaml that is the front door. */
export const NGINX = 'nginx'

/** Prints the id of the running nginx of project $1, or nothing. */
export const FIND_NGINX = `nginx_of() { docker ps -q --no-trunc --filter "label=com.docker.compose.project=$1" --filter label=com.docker.compose.service=${NGINX} --filter status=running; }`

/** Prints `up` when nginx of project $1 runs, `there` when its files are in folder $2, and otherwise nothing. */
const LOOK = `${FIND_NGINX}
found=$(nginx_of "$1") || exit 9
if [ -n "$found" ]; then echo up; elif [ -f "$2/files/edge.yaml" ]; then echo there; fi`

/** The first split.conf: whatever is put into the first slot is not reached before traffic is moved there. $1 is the file, its text comes on stdin. */
const FIRST_SPLIT = `[ ! -e "$1" ] || exit 0
umask 022 && mkdir -p -- "\${1%/*}" && cat >"$1.new" && mv -- "$1.new" "$1"`

/** Brings the edge up where no front door runs: at the first release, or when somebody has taken it down. What runs is left alone. */
export function edgeIsUp(site: Site): Action {
  const { edge, split } = pathsOf(site)
  const argv = [...edgeArgv(site), 'up', '--detach', '--wait']
  return action(`${typed('docker', ...argv)}   # unless it is up`, async doing => {
    const found = (await looked(site, LOOK, doing, [site.options.project, edge])).trim()
    if (found === 'up') return
    if (found !== 'there') await writeEdge(site, doing)
    await done(site, 'writing split.conf', FIRST_SPLIT, doing, [split], splitFile('green', 100, 'first'))
    await done(site, 'starting the front door', 'docker "$@"', doing, argv)
  })
}

async function writeEdge(site: Site, doing: Doing): Promise<void> {
  const { edge, traffic } = pathsOf(site)
  const files = Object.fromEntries(Object.entries(await edgeFiles(site)).map(([name, bytes]) => [`files/${name}`, bytes]))
  const secrets = Object.fromEntries(Object.entries(secretFiles(site)).map(([name, bytes]) => [`secrets/${name}`, bytes]))
  const values = {
    EDGE_PROJECT: site.options.project,
    RUNBOOKS_DIR: traffic,
    SECRETS_DIR: `${edge}/secrets`,
    ...variables(site, false),
    ...variables(site, true),
  }
  await done(
    site,
    'writing the files of the front door',
    PLACE,
    doing,
    [edge],
    placed({ ...files, ...secrets, 'edge.env': Buffer.from(envFile(values)) }),
  )
}

const HASHES = 'cd -- "$1/files" 2>/dev/null || exit 0; find . -type f -exec sha256sum {} +'

/** Files of the edge that are other here than on the host, by name; none before there is an edge. */
export async function edgeDifference(site: Site, doing: Doing): Promise<readonly string[]> {
  const [stdout, files] = await Promise.all([looked(site, HASHES, doing, [pathsOf(site).edge]), edgeFiles(site)])
  if (stdout.trim() === '') return []
  const lines = stdout.split('\n').filter(Boolean)
  const there = Object.fromEntries(lines.map(line => [line.slice(66).replace(/^\.\//, ''), line.slice(0, 64)] as const))
  const here = hashes(files)
  if (canonical(here) === canonical(there)) return []
  return [...new Set([...Object.keys(here), ...Object.keys(there)])].filter(name => here[name] !== there[name]).sort()
}

/** Prints why the nginx of project $1 would refuse its own files at the next reload, and nothing when it takes them, or does not run. */
const REFUSED = `${FIND_NGINX}
nginx=$(nginx_of "$1") || exit 9
[ -n "$nginx" ] || exit 0
said=$(docker exec "$nginx" nginx -t 2>&1) || echo "$said" | grep -v -e 'test failed' -e '\\[warn\\]'
exit 0`

/** Trouble(3) when the front door that runs would refuse a change of the traffic because of its own files: then it could not be moved back either. */
export async function edgeTakesFiles(site: Site, doing: Doing): Promise<void> {
  const refused = redact((await looked(site, REFUSED, doing, [site.options.project])).trim())
  if (refused === '') return
  const { edge } = pathsOf(site)
  throw new Trouble(3, `nginx does not take its own files, so no traffic could be moved: ${refused}`, {
    next: [`mend it on the host in ${edge}/files (docs/compose.md, "On the host")`],
    look: [typedThere(site, 'docker', 'compose', '-p', site.options.project, 'exec', NGINX, 'nginx', '-t')],
  })
}

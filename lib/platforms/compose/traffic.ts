import { setTimeout as sleep } from 'node:timers/promises'
import { CommandFailed } from '../../exec/process.ts'
import type { Action, Doing, Seen } from '../../plan/plan.ts'
import type { Split } from '../platform.ts'
import { containersOf, LOOKS } from './containers.ts'
import { askSlot, countedAtDoor, generationAt, trackHeader } from './door.ts'
import { FIND_NGINX } from './edge.ts'
import { timeOf } from './facts.ts'
import { pathsOf, projectOf, type Site, SLOTS } from './site.ts'
import { intended, splitFile } from './split-file.ts'
import { action, done, looked, sections } from './there.ts'

/** Until a reload must be seen at the front door, in milliseconds. */
const RELOAD_MS = 15_000

/**
 * Reloads, in nginx's container, and waits up to ten seconds until each worker from before is gone or says that it is shutting down: until then
 * it takes new connections, and answers them by the old weights.
 */
const RELOAD = `takes() { [ "$(tr -d '\\000' <"$1/cmdline" 2>/dev/null)" = 'nginx: worker process' ]; }
old=; for p in /proc/[0-9]*; do takes "$p" && old="$old $p"; done
nginx -s reload || exit 1
n=0
for p in $old; do while takes "$p" && [ "$n" -lt 200 ]; do sleep 0.05; n=$((n+1)); done; done
exit 0`

/**
 * Puts split.conf in place, which comes on stdin, and has nginx of project $1 take it; $2 is the file, $3 RELOAD. What nginx refuses is taken back
 * before it could meet it at a restart. Exit 4: there is no nginx; exit 5: it refused.
 */
const MOVE = `${FIND_NGINX}
nginx=$(nginx_of "$1") || exit 9
[ -n "$nginx" ] || { echo 'no nginx runs: there is no front door' >&2; exit 4; }
umask 022
cat >"$2.new" || exit 1
[ ! -e "$2" ] || cp -p -- "$2" "$2.before" || exit 1
mv -- "$2.new" "$2" || exit 1
if said=$(docker exec "$nginx" nginx -t 2>&1); then docker exec "$nginx" sh -c "$3"; exit $?; fi
if [ -e "$2.before" ]; then mv -- "$2.before" "$2"; else rm -f -- "$2"; fi
echo "$said" | grep -v -e 'test failed' -e '\\[warn\\]' >&2
exit 5`

/** A container that has run for so long is taken to be known to nginx, in milliseconds: on a slow host a release may be a minute old before it is reached. */
const OLD_MS = 120_000

/** How long it may take until nginx knows a younger one, in milliseconds. */
const KNOWN_MS = 15_000

/** How long nginx is left to find out by itself, in milliseconds: its resolver asks again after a second. */
const RESOLVED_MS = 1_500

/** Reloads the nginx of project $1 with what it has; $2 is RELOAD. */
const RELOAD_ONLY = `${FIND_NGINX}
nginx=$(nginx_of "$1") && docker exec "$nginx" sh -c "$2"`

/** Prints the connections of the nginx of project $1. */
const CONNECTIONS = `${FIND_NGINX}
nginx=$(nginx_of "$1") || exit 9
[ -z "$nginx" ] || docker exec "$nginx" cat /proc/net/tcp`

/**
 * Waits until nginx has the addresses of these slots. It asks Docker again each second, but a question for a name that was not there yet may
 * wait for other name servers first; and an address that one container has left is given to the next, so that nginx would find the other
 * release, whose answers look right. So a slot is asked through nginx, until nginx has a connection to each of its containers.
 */
async function resolved(site: Site, slots: readonly string[], doing: Doing): Promise<void> {
  const [{ containers }, now] = await Promise.all([containersOf(site, pathsOf(site).split, doing), timeOf(site, doing)])
  const paths = new Map(site.setting.services.filter(({ traffic }) => traffic === 'split').map(one => [one.name, one.door ?? one.health ?? '/']))
  const young = slots.flatMap(slot =>
    containers
      .filter(one => one.project === projectOf(site, slot) && one.status === 'running' && Date.parse(now) - one.startedMs < OLD_MS)
      .flatMap(({ service, addresses }) => {
        const path = paths.get(service)
        return path === undefined ? [] : [{ slot, path, addresses: new Set(addresses.map(hexAddress)) }]
      }),
  )
  const [until, patience] = [performance.now() + KNOWN_MS, performance.now() + RESOLVED_MS]
  let reloaded = false
  while (young.length > 0 && performance.now() < until) {
    await Promise.all(young.map(({ slot, path }) => askSlot(site, slot, path, doing)))
    const tcp = await looked(site, CONNECTIONS, doing, [site.options.project])
    // Without nginx there is nothing to wait for.
    if (tcp === '' || young.every(({ addresses }) => connections(tcp, addresses) > 0)) return
    // Seen where Docker's other name servers did not answer: nginx then does not ask again for long, but new workers do at once.
    if (!reloaded && performance.now() > patience) {
      reloaded = true
      await done(site, 'reloading nginx', RELOAD_ONLY, doing, [site.options.project, RELOAD])
    }
    await sleep(50, undefined, { signal: doing.signal })
  }
}

/** Prints the sections `workers`, a title a line, `tcp` of the nginx of project $1, `slot`, the containers of project $2, and `split`, the file $3. */
const DRAIN = `${LOOKS}
${FIND_NGINX}
nginx=$(nginx_of "$1") || exit 9
ids=$(of_projects "$2") || exit 9
echo @@split; cat "$3" 2>/dev/null
echo @@slot; [ -z "$ids" ] || docker container inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' $ids 2>/dev/null
[ -n "$nginx" ] || exit 0
docker exec "$nginx" sh -c 'echo @@workers; cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" "\\n"; echo @@tcp; cat /proc/net/tcp' || exit 9`

/** Traffic between the two slots, by the nginx of the edge. */
export function trafficOf(site: Site): Split {
  return {
    served: doing => countedAtDoor(site, doing),
    move: (to, percent, generation) => [moving(site, to, percent, generation)],
    drained: (slot, doing) => drained(site, slot, doing),
    async track(slot, doing) {
      await resolved(site, [slot], doing)
      return trackHeader(await generationAt(site, doing), slot)
    },
  }
}

function moving(site: Site, to: string, percent: number, generation: string): Action {
  if (!(SLOTS as readonly string[]).includes(to)) throw new RangeError(`${to} is not a slot`)
  if (!/^[\w.-]+$/.test(generation)) throw new RangeError(`${generation} is not the name of a generation`)
  const { split } = pathsOf(site)
  const wanted = percent === 100 ? [to] : percent === 0 ? SLOTS.filter(slot => slot !== to) : SLOTS
  return action(`${percent} % to ${to} → ${split}; nginx -t && nginx -s reload   # generation ${generation}`, async doing => {
    await resolved(site, wanted, doing)
    await done(site, 'moving the traffic', MOVE, doing, [site.options.project, split, RELOAD], splitFile(to, percent, generation))
    await answered(site, generation, doing)
  })
}

/** The exit code of a reload proves nothing: waits until every new connection is answered by the generation. */
async function answered(site: Site, generation: string, doing: Doing): Promise<void> {
  const until = performance.now() + RELOAD_MS
  let seen: string | null = null
  while (performance.now() < until) {
    seen = await generationAt(site, doing)
    if (seen === generation) return
    doing.signal.throwIfAborted()
    await sleep(25)
  }
  const why = `nginx took the new weights, but the front door still answers with generation ${seen ?? 'unknown'} instead of ${generation}`
  throw new CommandFailed(`${why}: look at its log, docker compose -p ${site.options.project} logs --tail 20 nginx`, null, null, '')
}

async function drained(site: Site, slot: string, doing: Doing): Promise<Seen<{ readonly open: number }>> {
  const parts = sections(await looked(site, DRAIN, doing, [site.options.project, projectOf(site, slot), pathsOf(site).split]))
  const addresses = (parts.slot ?? '').split(/\s+/).filter(Boolean)
  const open = connections(parts.tcp ?? '', new Set(addresses.map(hexAddress)))
  const meant = intended(parts.split ?? '')
  const share = meant === undefined ? 0 : meant.slot === slot ? meant.percent : 100 - meant.percent
  // With no front door, nothing comes in through it.
  if (share > 0 && parts.workers !== undefined && addresses.length > 0)
    return { state: { open: Math.max(1, open) }, is: 'moving', because: `${slot} still gets ${share} % of the traffic` }
  const old = (parts.workers ?? '').split('\n').filter(title => title.includes('worker process is shutting down')).length
  if (old === 0) return { state: { open: 0 }, is: 'settled' }
  // An old worker without a connection to the slot may still be asked for one, by a client whose connection it has kept.
  return {
    state: { open: Math.max(1, open) },
    is: 'moving',
    because: `${old} of nginx's old workers still ${old === 1 ? 'has' : 'have'} connections, ${open} of them to ${slot}`,
  }
}

/** An IPv4 address as /proc/net/tcp has it: hexadecimal, in the order of the machine's bytes. */
const hexAddress = (address: string) =>
  address
    .split('.')
    .map(part => Number(part).toString(16).padStart(2, '0'))
    .reverse()
    .join('')
    .toUpperCase()

/** Established connections (state 01) to any of these addresses. */
function connections(tcp: string, to: ReadonlySet<string>): number {
  return tcp.split('\n').filter(line => {
    const [, , , remote = '', state] = line.split(/\s+/)
    return state === '01' && to.has(remote.split(':')[0] ?? '')
  }).length
}

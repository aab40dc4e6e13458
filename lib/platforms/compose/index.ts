import { CellConflict, type Host, here, hostCell, sshAddress, sshHost } from '../../exec/host.ts'
import { Trouble } from '../../plan/outcome.ts'
import { type Cell, StoreError } from '../../stores/store.ts'
import type { Platform } from '../platform.ts'
import type { Setting } from '../registry.ts'
import { configuredOf } from './configured/index.ts'
import { doorOf } from './door.ts'
import { draftOf } from './draft.ts'
import { edgeDifference, edgeTakesFiles } from './edge.ts'
import { factsOf, timeOf } from './facts.ts'
import { fetch, fetchedOf } from './fetch.ts'
import { imagesOf } from './images.ts'
import { rehearsalsOf } from './rehearsal.ts'
import { setupOf } from './setup.ts'
import { type ComposeOptions, pathsOf, type Site } from './site.ts'
import { inside, logOf, once, remove, start, stop, toggle, writers } from './slots.ts'
import { stage, stagedOf, unstage } from './stage.ts'
import { slotOf, standingOf } from './standing.ts'
import { surplus, tidy } from './tidy.ts'
import { trafficOf } from './traffic.ts'
import { verdictOn } from './verdict.ts'

/** Two slots as Compose projects behind an nginx that no deploy restarts, on this machine or behind ssh. */
export function compose(setting: Setting, options: ComposeOptions): Platform {
  const host = hostOf(options)
  const where = `${host.where === 'here' ? 'compose' : host.where} ${options.project} in ${options.directory}`
  const site: Site = { setting, options, host, where: host.where }
  let differs: readonly string[] = []
  return {
    kind: 'compose',
    where,
    get caution() {
      return differs.length === 0 ? undefined : edgeCaution(site, differs)
    },
    facts: async doing => ({ ...(await factsOf(site, doing)), where }),
    standing: doing => standingOf(site, doing),
    images: (wanted, doing) => imagesOf(site, wanted, doing),
    async draft(doing) {
      const [draft, difference] = await Promise.all([draftOf(site, doing), edgeDifference(site, doing), edgeTakesFiles(site, doing)])
      differs = difference
      return draft
    },
    fetch: bundle => fetch(site, bundle),
    fetched: (bundle, doing) => fetchedOf(site, bundle, doing),
    stage: bundle => stage(site, bundle),
    staged: (release, doing) => stagedOf(site, release, doing),
    unstage: release => unstage(site, release),
    start: (bundle, without) => start(site, bundle, without),
    toggle: (bundle, services, to) => toggle(site, bundle, services, to),
    stop: slot => stop(site, slot),
    remove: slot => remove(site, slot),
    slot: (slot, doing) => slotOf(site, slot, doing),
    verdict: (slot, release, without, since, doing) => verdictOn(site, slot, release, without, since, doing),
    time: doing => timeOf(site, doing),
    once: (bundle, service, argv) => once(site, bundle, service, argv),
    inside: (service, command, how) => inside(site, service, command, how),
    log: (slot, service, lines, doing) => logOf(site, slot, service, lines, doing),
    door: doing => doorOf(site, doing),
    split: trafficOf(site),
    rehearsals: rehearsalsOf(site),
    ...(setting.configured && setting.configured.length > 0 ? { configured: configuredOf(site) } : {}),
    writers: writers(site),
    setup: () => setupOf(site),
    cell: name => cellOf(host, `${pathsOf(site).cells}/${name}`),
    surplus: (keep, doing) => surplus(site, keep, doing),
    tidy: keep => tidy(site, keep),
    survivors: (run, doing) => host.survivors(run, doing),
    endSurvivors: (run, doing) => host.endSurvivors(run, doing),
    close: () => host.close(),
  }
}

function edgeCaution(site: Site, names: readonly string[]): string {
  return `Files of the front door differ from those on the host, and no deploy applies them: ${names.join(', ')} (docs/compose.md, "On the host": ${pathsOf(site).edge})`
}

function hostOf({ host, user, key, knownHosts }: ComposeOptions): Host {
  if (host === undefined) return here()
  return sshHost({ ...addressOf(host), ...(user ? { user } : {}), ...(key ? { key } : {}), ...(knownHosts ? { knownHosts } : {}) })
}

/** Where a host is; its name alone will do. */
function addressOf(host: string): ReturnType<typeof sshAddress> {
  try {
    return sshAddress(/^[\w.-]+$/.test(host) ? `ssh://${host}` : host)
  } catch {
    throw new Trouble(2, `host of a Compose platform is ssh://user@host, not ${host}`)
  }
}

/** A cell on the host that fails as every cell does. */
function cellOf(host: Host, path: string): Cell {
  const cell = hostCell(host, path)
  return {
    where: cell.where,
    read: () => cell.read(),
    write: (body, version) =>
      cell.write(body, version).catch(cause => {
        throw cause instanceof CellConflict ? new StoreError('conflict', cause.message, cause) : cause
      }),
  }
}

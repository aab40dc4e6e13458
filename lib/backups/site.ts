import type { Check } from '../checks/check.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Doing } from '../plan/plan.ts'
import type { Secret } from '../plan/secrets.ts'
import type { WriterSwitch } from '../platforms/platform.ts'
import type { Source } from '../sources/source.ts'
import type { Store } from '../stores/store.ts'
import type { Encryption } from './encryption.ts'
import type { PointRelease } from './manifest.ts'
import type { Keep } from './retention.ts'

/** What the data verbs know of a stack: its members by name. */
export interface DataSite {
  readonly stack: string
  readonly environment: string
  readonly timezone: string
  readonly parts: ReadonlyMap<string, Source>
  readonly stores: ReadonlyMap<string, Store>
  /** The store that keeps leases and open runs; the same for everybody, whichever store is read from. */
  readonly keeper: string
  /** Whether a backup must reach all stores or any of them to count as done. */
  readonly policy: 'all' | 'any'
  /** Stops and starts what writes the data. */
  readonly writers?: WriterSwitch
  /** Builds what the stack file says to look at, when it is looked at. */
  readonly checks?: () => Promise<readonly Check[]>
  readonly encryption?: Encryption
  /** Identities to decrypt with, once they were read; empty on a machine that only backs up. */
  readonly identities: Secret[]
  /** The age of the newest backup that the stack allows, in milliseconds. */
  readonly dataLossMs?: number
  /** What is kept of the backups; without it nothing is removed. */
  readonly keep?: Keep
  readonly by: { readonly user: string; readonly host: string }
  /** The release that serves, where a platform can tell; null when nothing does. */
  readonly serving?: (doing: Doing) => Promise<PointRelease | null>
}

/** The part of that name; a journal may name one that the stack file no longer has. */
export function partOf(site: DataSite, name: string): Source {
  const part = site.parts.get(name)
  if (!part) throw new Trouble(5, `${site.stack}/${site.environment} has no part "${name}" any more`)
  return part
}

/** The store of that name. */
export function storeOf(site: DataSite, name: string): Store {
  const store = site.stores.get(name)
  if (!store) throw new Trouble(5, `${site.stack}/${site.environment} has no store "${name}" any more`)
  return store
}

/** The store that backups are written to and read from. */
export function firstStore(site: DataSite): Store {
  const [store] = site.stores.values()
  if (!store) throw new Trouble(2, `${site.stack}/${site.environment} has no store`)
  return store
}

/** The folder of a stack's environment inside a store. */
export const folderOf = (site: Pick<DataSite, 'stack' | 'environment'>) => `${site.stack}/${site.environment}`

import { afterAll, beforeAll, describe } from 'vitest'
import type { Platform, Service } from '../../lib/platforms/platform.ts'
import { beginnings } from './conformance/beginnings.ts'
import { keeping } from './conformance/keeping.ts'
import { operating } from './conformance/operating.ts'
import { replacing } from './conformance/replacing.ts'
import { staging } from './conformance/staging.ts'
import { traffic } from './conformance/traffic.ts'
import { verdicts } from './conformance/verdicts.ts'

/** What a platform can do besides what every platform must do; facts about what it cannot are skipped, by name. */
export type Abilities = {
  /** It has two slots with traffic between them; without it a release replaces the one before in place. */
  readonly split: boolean
  /** Its stack has a service that must not run twice. */
  readonly never: boolean
}

/** A place with a stack for the facts to be tried on: empty at first, and made empty by every fact that needs it so. */
export type World = {
  /** A new object for the same place each time, as another operator's process would have it. */
  readonly platform: () => Platform
  readonly services: readonly Service[]
  /** The service that `path` and `events` reach; it gets the bad versions, while all others stay with the first good one. */
  readonly main: string
  /** A service with `twice: 'never'`, where there is one. */
  readonly never?: string
  /** Answered through the front door by `main`, with its version in the header `X-Version`. */
  readonly path: string
  /** Answered by `main` with `text/event-stream`: a line at once, and one at least every 200 ms for a minute, on one connection. */
  readonly events: string
  /** `good` are healthy; `missing` has no image; `crashes` exits 1 about 0.3 s after its start, saying `says` last; `unready` runs, and its health check answers 503. */
  readonly versions: {
    readonly good: readonly [string, string]
    readonly missing: string
    readonly crashes: string
    readonly says: string
    readonly unready: string
  }
  /** Commands for a throw-away instance of `main`: one prints the release's version and exits 0, one writes `no such thing` on stderr and exits 3. */
  readonly once: { readonly version: readonly string[]; readonly fails: readonly string[] }
  /** Changes a file that belongs to releases made from now on, each time anew. */
  changeFile(): Promise<void>
  /** The same stack at an address where nothing answers. */
  unreachable(): Platform
  /** The same stack where we are not let in, where that can be had. */
  denied?(): Platform
  /** Ends everything that the world has started. */
  close(): Promise<void>
}

/** Gives the world of a suite; it is made before the first fact. */
export type WorldOf = () => World

/** What every platform does in the same way: each title is a fact. */
export function conforms(name: string, abilities: Abilities, make: () => Promise<World>): void {
  describe(`${name} as a platform`, () => {
    let world: World | undefined
    const of: WorldOf = () => {
      if (!world) throw new Error('the world was not made')
      return world
    }
    beforeAll(async () => {
      world = await make()
    }, 300_000)
    afterAll(async () => world?.close(), 120_000)

    beginnings(of)
    staging(of)
    verdicts(of)
    if (abilities.split) traffic(of)
    else replacing(of)
    keeping(of, abilities)
    operating(of, abilities)
  })
}

import type { Inside } from '../exec/place.ts'
import type { Command } from '../exec/process.ts'
import type { Action, Doing, Json, Seen } from '../plan/plan.ts'
import type { Cell } from '../stores/store.ts'
import type { Configured } from './configured.ts'
import type { Rehearsals } from './rehearsal.ts'
import type { Setup, SetupWants } from './setup.ts'

/** A service that releases are made of, as the stack file says it. */
export type Service = {
  readonly name: string
  /** Repository without tag or digest; of the sandbox: any name. */
  readonly image: string
  /** Absent for a worker that answers nobody. */
  readonly port?: number
  /** Path that answers 2xx when the service is fit to serve. */
  readonly health?: string
  /** Path with which the front door reaches it; its health path unless said. */
  readonly door?: string
  /** `split`: reached through the front door, by weight. `none`: it answers nobody outside. */
  readonly traffic: 'split' | 'none'
  /** `never`: must not run in two versions at once, so it stops in one slot before it starts in the other. */
  readonly twice: 'allowed' | 'never'
}

/** What of a service a release runs; `digest` is null where the platform has none (sandbox scripts have: SHA-256 of the script). */
export type Wanted = { readonly image: string; readonly version: string; readonly digest: string | null }

/** Everything that a release is, as plain data: enough to put it there again, without the stack file or the registry of the day. */
export type Bundle = {
  readonly release: string
  /** Where it stands: `blue` or `green`; `live` on a platform that replaces in place. */
  readonly slot: string
  readonly services: Readonly<Record<string, Wanted>>
  /** SHA-256 of every file that belongs to it (Compose file, configuration), by name. */
  readonly files: Readonly<Record<string, string>>
  /** Fingerprints of the secrets that it is given, by name: equal values have equal fingerprints, and nothing can be read from them. */
  readonly secrets: Readonly<Record<string, string>>
}

/** What a look at the platform found. `unreachable` could not look. */
export type PlatformFacts = {
  readonly where: string
  readonly state: 'answers' | 'unreachable' | 'denied'
  readonly because?: string
  readonly mend?: string
  readonly tools: readonly { readonly name: string; readonly version: string | null; readonly mend?: string }[]
  /** Room left where images and data are; null where nobody can tell. */
  readonly freeBytes: number | null
}

/** One service as it stands in a slot. */
export type ServiceState = {
  readonly version: string
  readonly digest: string | null
  readonly wanted: number
  readonly running: number
  /** Those whose own health check says so; one that has none is never counted. */
  readonly healthy: number
  /** Restarts since the release was put there. */
  readonly restarts: number
  /** Why it is not healthy: exit code, OOM, the failing probe's answer. */
  readonly because?: string
}

/** What stands in a slot; `release` null is an empty slot. */
export type SlotState = {
  readonly release: string | null
  readonly is: 'absent' | 'stopped' | 'running'
  readonly services: Readonly<Record<string, ServiceState>>
}

/** Everything that stands now. */
export type Standing = {
  readonly slots: Readonly<Record<string, SlotState>>
  /** The slot that most of the traffic goes to, as observed at the front door; null when nothing serves. */
  readonly serving: string | null
  /** The slot that a new release is put into. */
  readonly idle: string
}

/** Whether an image can be run here, without running it. */
export type ImageFacts = {
  readonly service: string
  readonly image: string
  readonly version: string
  /** `unknown`: nobody could look, so it is found out when the release starts. */
  readonly state: 'present' | 'pullable' | 'missing' | 'denied' | 'wrong platform' | 'unreachable' | 'unknown'
  readonly digest: string | null
  readonly sizeBytes: number | null
  readonly because?: string
  readonly mend?: string
}

/** Shares of the traffic by slot in percent, counted from answers, and the generation that answers. */
export type Served = { readonly share: Readonly<Record<string, number>>; readonly generation: string | null }

/** A verdict; `coming` of one that moves: only instances that have just come are not healthy yet, and none that was has fallen. */
export type Judged = Seen & { readonly coming?: boolean }

/** What stands around the services: what of it is not well, what could not be seen and why, how many of what there are, and where to look. */
export type Surroundings = {
  readonly faults: readonly string[]
  readonly unseen: readonly string[]
  readonly counted: Readonly<Record<string, number>>
  readonly look: readonly string[]
}

/** Where users come in: an address to connect to, and headers that every request needs there. */
export type Door = { readonly url: string; readonly headers: Readonly<Record<string, string>> }

/** Two slots behind one front door, with traffic between them by weight. */
export interface Split {
  /** What the front door really does, from answers and never from an exit code. */
  served(doing: Doing): Promise<Served>
  /** Sends `percent` of the traffic to a slot and the rest to the other, under a new generation. */
  move(to: string, percent: number, generation: string): readonly Action[]
  /** Settled when no request that began in the slot is under way any more. */
  drained(slot: string, doing: Doing): Promise<Seen<{ readonly open: number }>>
  /** Headers with which the front door answers from that slot, whatever the weights are. */
  track(slot: string, doing: Doing): Promise<Readonly<Record<string, string>>>
}

/** Stopping and starting what writes the stack's data. */
export interface WriterSwitch {
  running(doing: Doing): Promise<boolean>
  stop(): readonly Action[]
  start(): readonly Action[]
}

/** A place where releases of a stack run. Verbs call it; nothing here journals, asks or prints. */
export interface Platform {
  readonly kind: string
  /** Address without secrets, as shown in plans and compared in recovery. */
  readonly where: string
  /** Said before a plan, when there is something that everybody must know of this platform. */
  readonly caution?: string | undefined

  /** Never throws for what an operator can meet: the facts say it. */
  facts(doing: Doing): Promise<PlatformFacts>
  standing(doing: Doing): Promise<Standing>
  images(wanted: Readonly<Record<string, Pick<Wanted, 'image' | 'version'>>>, doing: Doing): Promise<readonly ImageFacts[]>
  /** The files and secrets that a release made now would have; throws Trouble(3) that names the file or the secret that is missing or not valid. */
  draft(doing: Doing): Promise<Pick<Bundle, 'files' | 'secrets'>>

  /** Makes every image of a bundle present, by digest where there is one. */
  fetch(bundle: Bundle): readonly Action[]
  fetched(bundle: Bundle, doing: Doing): Promise<Readonly<Record<string, boolean>>>
  /** Writes the files and secrets of a bundle there; its hashes must still be those of the draft, or Trouble(3). */
  stage(bundle: Bundle): readonly Action[]
  /** File names with hashes of what is kept of a release; null when nothing is. */
  staged(release: string, doing: Doing): Promise<Readonly<Record<string, string>> | null>
  unstage(release: string): readonly Action[]

  /** Puts a bundle that is fetched and staged into its slot, from nothing or from stopped; services in `without` are not started. */
  start(bundle: Bundle, without: readonly string[]): readonly Action[]
  /** Stops or starts single services of a slot. */
  toggle(bundle: Bundle, services: readonly string[], to: 'stopped' | 'running'): readonly Action[]
  /** Stops a slot and keeps it, so that it is back in a moment. */
  stop(slot: string): readonly Action[]
  /** Removes what stands in a slot. */
  remove(slot: string): readonly Action[]
  slot(slot: string, doing: Doing): Promise<SlotState>
  /**
   * The verdict on a release that has just been started: settled and all healthy, moving, or doomed with the cause first and, as `look`, the last
   * lines of the log of what died. `since` is the platform's time in ISO 8601 from which on events count.
   */
  verdict(slot: string, release: string, without: readonly string[], since: string, doing: Doing): Promise<Judged>
  /** The platform's clock, ISO 8601. */
  time(doing: Doing): Promise<string>

  /** A command in a throw-away instance of a service of a release, off traffic: migrations and smoke tests. */
  once(bundle: Bundle, service: string, argv: readonly string[]): Command
  /** A command inside a running service, bytes both ways. */
  inside(service: string, command: Command, inside: Inside): Command
  /** The last lines that a service of a slot wrote. */
  log(slot: string, service: string, lines: number, doing: Doing): Promise<string>

  door(doing: Doing): Promise<Door>
  /** Absent on a platform that replaces in place and moves the traffic by itself. */
  readonly split?: Split
  /** Services that are configured instead of released; absent where the stack file names none. */
  readonly configured?: Configured
  /** Starting a kept release beside everything, on copies of the data. */
  readonly rehearsals: Rehearsals
  /** Secrets stay where they are when a release goes: one that comes back gets today's. */
  readonly secretsOfToday?: true
  readonly writers: WriterSwitch
  /** Making what a new environment needs; absent on a platform that makes all it needs by itself. */
  setup?(wants: () => SetupWants): Setup
  /** What else is to be well there, besides the services; absent where there is nothing else. */
  surroundings?(doing: Doing): Promise<Surroundings>
  /** Small documents that live with the application: leases, open runs, releases. */
  cell(name: string): Cell
  /** Names of what is there of releases that are not to be kept: images of this stack's services, files, secrets; never what runs. */
  surplus(keep: readonly Bundle[], doing: Doing): Promise<readonly string[]>
  /** Removes the surplus. */
  tidy(keep: readonly Bundle[]): readonly Action[]
  /** Anything of the run's own that still moves there; ended before a run is settled. */
  survivors?(run: string, doing: Doing): Promise<readonly { readonly pid: number; readonly prints: string }[]>
  endSurvivors?(run: string, doing: Doing): Promise<void>
  /** Ends connections; called once at the end of a process. */
  close?(): Promise<void>
}

/** A state as plain JSON, for looks and journals. */
export const plain = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json

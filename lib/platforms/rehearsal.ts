import type { Command } from '../exec/process.ts'
import type { Action, Doing, Seen } from '../plan/plan.ts'
import type { Secret } from '../plan/secrets.ts'
import type { Bundle, Door, SlotState } from './platform.ts'

/** The slot that the bundles of a rehearsal are in; no front door knows it. */
export const REHEARSAL = 'rehearsal'

/** Settings of a release by name: variables, and secrets that it reads as files. */
export type Given = Readonly<Record<string, string | Secret>>

/** Settings that a release gets in a rehearsal instead of its own: their names, for people, and their values, read when they are needed. */
export type Instead = { readonly names: readonly string[]; read(doing: Doing): Promise<Given> }

/** A place of one run beside everything, in which kept releases run with other settings than their own. Nothing leads users there. */
export interface RehearsalPlace {
  /** Puts what is kept of a release there, with some settings replaced; a step fails before anything starts where it would reach live data. */
  put(bundle: Bundle, instead: Instead): readonly Action[]
  /** The releases that were put there, sorted. */
  there(doing: Doing): Promise<readonly string[]>
  start(bundle: Bundle, without: readonly string[]): readonly Action[]
  /** Removes what runs there; what was put there stays. */
  stop(): readonly Action[]
  state(doing: Doing): Promise<SlotState>
  /** As that of a platform: `since` is the platform's time from which on events count. */
  verdict(bundle: Bundle, without: readonly string[], since: string, doing: Doing): Promise<Seen>
  once(bundle: Bundle, service: string, argv: readonly string[]): Command
  /** An address of one instance, for smoke tests; null while it has none. */
  door(service: string, doing: Doing): Promise<Door | null>
  /** Removes what runs there and everything that was put there, of this run and of any before it. */
  remove(): readonly Action[]
  /** Whether nothing of any rehearsal is left. */
  gone(doing: Doing): Promise<boolean>
}

/** Rehearsals on a platform. */
export interface Rehearsals {
  /** What a kept release would come back with: never shown, and only read to find what leads to live data. */
  given(bundle: Bundle, doing: Doing): Promise<Given>
  /** The place of a run, by its short name. */
  at(run: string): RehearsalPlace
}

import type { Action, Doing } from '../plan/plan.ts'
import type { Secret } from '../plan/secrets.ts'
import type { Bundle, Wanted } from './platform.ts'

/** What a service must say, on a loopback port of its host, before it is believed that it runs its configuration. `file` is its main file, below the folder of the assets. */
export type Proof =
  | { readonly kind: 'prometheus' | 'alertmanager'; readonly port: number; readonly file: string }
  /** `boards` is the folder of the boards that must be there, as far as `user` with the password of that secret may look. */
  | { readonly kind: 'grafana'; readonly port: number; readonly boards?: string; readonly user?: string; readonly password?: string }
  | { readonly kind: 'http'; readonly port: number; readonly path: string; readonly contains?: string }

/** A service of which there are no releases in slots: a deploy is new files, which it reads when it is told to. */
export type ConfiguredService = {
  readonly name: string
  /** Its Compose file, in the folder of the assets. */
  readonly file: string
  /** The folder of its configuration beside that file. */
  readonly folder?: string
  /** Exits 0 in its image when the configuration is valid. */
  readonly check?: readonly string[]
  /** How it is told to read its files again. */
  readonly apply: 'HUP' | 'restart'
  /** Secrets that it reads as files, by file name. */
  readonly secrets?: Readonly<Record<string, string | Secret>>
  readonly proof: Proof
}

/** How a configured service stands. */
export type ConfiguredState = {
  /** The release whose files it has; null for none, and for those that were put there half. */
  readonly release: string | null
  /** SHA-256 of the files that it is given, by name; null when there are none. */
  readonly files: Readonly<Record<string, string>> | null
  readonly runs: boolean
  readonly version: string | null
  readonly digest: string | null
  /** Fingerprint of the configuration that it says it runs; null when it does not answer. */
  readonly says: string | null
  /** Why it is not known that it runs the files that it has; null when it is. */
  readonly wrong: string | null
  /** It is not to be waited for: it exits again and again. */
  readonly doomed?: true
  /** The last lines of its log, where it does not run. */
  readonly log?: string
}

/** What a deploy of a configured service made now would be; `own` is the image that the Compose file names. */
export type ConfiguredDraft = Pick<Bundle, 'files' | 'secrets'> & { readonly own: Pick<Wanted, 'image' | 'version'> }

/** Services that are configured on a platform; a bundle is of one service, and its `slot` is that service. */
export interface Configured {
  /** Throws Trouble(3) for a file or a secret that is missing, and for a Compose file that is not valid. */
  draft(service: string, doing: Doing): Promise<ConfiguredDraft>
  /** Writes files and secrets beside those that are in use; their hashes must still be those of the draft, or Trouble(3). */
  stage(bundle: Bundle): readonly Action[]
  /** File names with hashes of what is kept of a release; null when nothing is. */
  staged(service: string, release: string, doing: Doing): Promise<Readonly<Record<string, string>> | null>
  unstage(service: string, release: string): readonly Action[]
  /** What the service's own tool says against staged files; null when nothing. The tool runs in the image of the bundle, without a network. */
  refused(bundle: Bundle, doing: Doing): Promise<string | null>
  /** Puts staged files into use and tells the service to read them; it is made anew only where its image, its secrets or its part of the Compose file are other. */
  apply(bundle: Bundle): readonly Action[]
  /** Ends the service and removes the files in use; its volumes stay. */
  remove(service: string): readonly Action[]
  state(service: string, doing: Doing): Promise<ConfiguredState>
  /** Releases of which files are kept though they are in neither list nor use. */
  surplus(service: string, keep: readonly string[], doing: Doing): Promise<readonly string[]>
}

import type { Duration } from '../plan/durations.ts'

/** A value that is read from the environment or the env file when it is needed. `hidden` ones become a Secret. */
export type FromEnv = { readonly env: string; readonly hidden: boolean }

/** A secret of that name in the environment or in `config/<stack>.<environment>.env`. */
export const secret = (name: string): FromEnv => ({ env: name, hidden: true })
/** A plain setting of that name in the environment or the env file. */
export const env = (name: string): FromEnv => ({ env: name, hidden: false })

/** A member as a stack file writes it: plain data, checked and built when the stack is loaded. */
export type Described<F extends string> = { readonly family: F; readonly kind: string; readonly options: Readonly<Record<string, unknown>> }
export type Part = Described<'source'>
export type StoreDescription = Described<'store'>

type Text = string | FromEnv

const source =
  (kind: string) =>
  (options: Readonly<Record<string, unknown>>): Part => ({ family: 'source', kind, options })
const store =
  (kind: string) =>
  (options: Readonly<Record<string, unknown>>): StoreDescription => ({ family: 'store', kind, options })

/** A SQLite database file; a relative path is inside RUNBOOKS_HOME. */
export const sqlite: (options: { file: Text; scratch?: Text }) => Part = source('sqlite')
/** A folder of files; a relative path is inside RUNBOOKS_HOME. */
export const files: (options: { directory: Text; scratch?: Text }) => Part = source('files')
/** One database of a MongoDB server, by mongodump and mongorestore; `bin` is the folder of the tools where they are not on PATH. */
export const mongodb: (options: {
  uri: FromEnv
  databases: readonly [string]
  collections?: { expected?: readonly string[] }
  scratch?: FromEnv
  bin?: Text
  oplog?: boolean
}) => Part = source('mongodb')

/** A folder that keeps backups; a relative path is inside RUNBOOKS_HOME. */
export const directory: (options: { path: Text; name?: string }) => StoreDescription = store('directory')
/** A bucket of S3 or of a server that speaks it (`endpoint`, `forcePathStyle`). */
export const s3: (options: {
  bucket: Text
  prefix?: string
  region?: Text
  endpoint?: Text
  forcePathStyle?: boolean
  accessKeyId: FromEnv
  secretAccessKey: FromEnv
  checksums?: 'when-supported' | 'when-required'
  name?: string
}) => StoreDescription = store('s3')

/** Commands that stop and start what writes the data; `running` exits 0 while it runs, 1 while it is stopped. */
export type WritersDescription = { readonly stop: readonly string[]; readonly start: readonly string[]; readonly running: readonly string[] }

/** One environment of a stack: whole values, nothing is merged into what stands above. */
export type Environment = {
  /** Destructive steps need the typed name, or `--confirm=<stack>/<environment>`. */
  readonly protected?: boolean
  readonly stores: readonly [StoreDescription, ...StoreDescription[]]
  readonly writers?: WritersDescription
  /** Data of this environment, where it differs from the stack's. */
  readonly data?: Readonly<Record<string, Part>>
}

/** Encryption to age recipients (`age1…`): each alone can decrypt, and who backs up cannot. */
export const age = (options: { readonly recipients: readonly [string, ...string[]] }) => ({ kind: 'age' as const, recipients: options.recipients })

/** How a stack is backed up. */
export type Backups = {
  readonly objectives?: { readonly dataLoss?: Duration; readonly recovery?: Duration }
  readonly encryption?: ReturnType<typeof age>
  /** With several stores: whether a backup must reach `all` (the default) or `any` of them. */
  readonly policy?: 'all' | 'any'
}

/** What a team edits: one typed file a stack. */
export type StackDescription = {
  readonly name: string
  /** Of every time that is typed or printed, as `Europe/Paris`. */
  readonly timezone: string
  readonly data: Readonly<Record<string, Part>>
  readonly backups?: Backups
  readonly environments: Readonly<Record<string, Environment>>
}

/** A stack file's default export. */
export const defineStack = (stack: StackDescription): StackDescription => stack

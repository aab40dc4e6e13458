import type { Keep } from '../backups/retention.ts'
import type { Schedule } from '../backups/schedule.ts'
import type { On } from '../notify/notify.ts'
import type { Duration } from '../plan/durations.ts'
import type { ConfiguredDescription } from './describe-configured.ts'
import type { DeployDescription } from './describe-deploy.ts'
import type { SetupDescription } from './describe-setup.ts'

export { type DeployDescription, http, run } from './describe-deploy.ts'

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
export type NotifierDescription = Described<'notifier'>
export type CheckDescription = Described<'check'>

/** A value that is written out, or read from the environment. */
export type Text = string | FromEnv

const source =
  (kind: string) =>
  (options: Readonly<Record<string, unknown>>): Part => ({ family: 'source', kind, options })
const store =
  (kind: string) =>
  (options: Readonly<Record<string, unknown>>): StoreDescription => ({ family: 'store', kind, options })

/** A SQLite database file; a relative path is inside RUNBOOKS_HOME. */
export const sqlite: (options: { file: Text; scratch?: Text }) => Part = source('sqlite')
/** A folder of files; a relative path is inside RUNBOOKS_HOME. With `in` it is a folder inside that service, by its own tar. */
export const files: (options: { directory: Text; scratch?: Text; in?: ServiceDescription }) => Part = source('files')
/** One database of a MongoDB server, by mongodump and mongorestore; `in` runs them inside a service that publishes no port; `bin` is the folder of the tools where they are not on PATH. */
export const mongodb: (options: {
  uri: FromEnv
  in?: ServiceDescription
  databases: readonly [string]
  collections?: { expected?: readonly string[] }
  scratch?: FromEnv
  bin?: Text
  oplog?: boolean
}) => Part = source('mongodb')

/** A service of a Compose project on this machine, as `docker compose exec -T` finds it. */
export type ComposeServiceDescription = { compose: { project?: string; file?: string; directory?: string }; service: string }
/** A service that tools are run in: the name of one of the environment's platform, which it enters wherever it is, or one of a Compose project. */
export type ServiceDescription = string | ComposeServiceDescription

/** One database of a PostgreSQL server, by pg_dump and pg_restore; `in` runs them inside a service that publishes no port. */
export const postgres: (options: {
  url?: FromEnv
  host?: Text
  port?: number
  user?: Text
  password?: FromEnv
  database: Text
  in?: ServiceDescription
  scratch?: FromEnv
  bin?: Text
  lockWaitMs?: number
  maintenance?: string
}) => Part = source('postgres')

/** All databases of a Redis server, by redis-cli; `scratch` is the address of a server for drills, by default a throw-away one on this machine. */
export const redis: (options: {
  url?: FromEnv
  host?: Text
  port?: number
  user?: Text
  password?: FromEnv
  in?: ServiceDescription
  scratch?: FromEnv
  bin?: Text
}) => Part = source('redis')

/** A folder that keeps backups; a relative path is inside RUNBOOKS_HOME. */
export const directory: (options: { path: Text; name?: string }) => StoreDescription = store('directory')
/** A bucket of S3 or of a server that speaks it (`endpoint`, `forcePathStyle`); `lock` keeps backups from being removed before their time. */
export const s3: (options: {
  bucket: Text
  prefix?: string
  region?: Text
  endpoint?: Text
  forcePathStyle?: boolean
  accessKeyId: FromEnv
  secretAccessKey: FromEnv
  checksums?: 'when-supported' | 'when-required'
  lock?: { mode: 'governance' | 'compliance'; for: Duration }
  name?: string
}) => StoreDescription = store('s3')
/** A container of Azure Blob Storage; `immutable` locks backups for so long against removal by anybody. */
export const azureBlob: (options: {
  account: Text
  container: Text
  key: FromEnv
  endpoint?: Text
  prefix?: string
  immutable?: Duration
  name?: string
}) => StoreDescription = store('azure-blob')

const notifier =
  (kind: string) =>
  (options: Readonly<Record<string, unknown>>): NotifierDescription => ({ family: 'notifier', kind, options })

/** Events and severities that a channel is told of. */
type Ons = readonly [On, ...On[]]

/** A channel of Slack, by an incoming webhook. */
export const slack: (options: { webhook: FromEnv; on: Ons; name?: string }) => NotifierDescription = notifier('slack')
/** A channel of Discord, by its webhook. */
export const discord: (options: { webhook: FromEnv; on: Ons; name?: string }) => NotifierDescription = notifier('discord')
/** E-mail; `smtp` is `smtp://user:password@host:587` or `smtps://…`. */
export const email: (options: { smtp: FromEnv; to: Text | readonly string[]; from?: Text; on: Ons; name?: string }) => NotifierDescription =
  notifier('email')
/** A service of PagerDuty, by its integration key (Events API v2); `url` where it is not the US region's. */
export const pagerduty: (options: { key: FromEnv; on: Ons; url?: string; name?: string }) => NotifierDescription = notifier('pagerduty')
/** Anything that takes the object of `--json` over HTTP; `authorization` is the value of that header. */
export const webhook: (options: { url: FromEnv; authorization?: FromEnv; on: Ons; name?: string }) => NotifierDescription = notifier('webhook')
/** A dead man's switch (healthchecks.io) for one runbook, `backup` unless said: it raises the alarm when it hears nothing. */
export const deadman: (options: { url: FromEnv; runbook?: string; name?: string }) => NotifierDescription = notifier('deadman')

/** A platform as a stack file writes it. */
export type PlatformDescription = Described<'platform'>
const platform =
  (kind: string) =>
  (options: Readonly<Record<string, unknown>>): PlatformDescription => ({ family: 'platform', kind, options })

/** Services as processes of this machine behind a small proxy on a loopback port: for learning and tests, it needs nothing but Node. */
export const sandbox: (options: {
  directory: Text
  port: number
  /** `script` is started with Node as `script --version=… --port=…`; a relative one is inside the clone. */
  services: Readonly<Record<string, { script: string; versions: readonly [string, ...string[]]; instances?: number }>>
  environment?: Readonly<Record<string, Text>>
  secrets?: Readonly<Record<string, FromEnv>>
}) => PlatformDescription = platform('sandbox')

/** Two slots as Compose projects behind nginx, here or on `host: 'ssh://user@host'`, or the name of a host; `files` is the folder with app.yaml and edge.yaml. */
export const compose: (options: {
  host?: Text
  /** Who logs in there, where `host` does not say it. */
  user?: Text
  /** Text of a private key; kept in a file only as long as the run. */
  key?: FromEnv
  knownHosts?: Text
  project: string
  /** Folder on the host for the files and the state of this stack. */
  directory: Text
  files: string
  /** Address of the front door as the host sees it: `http://127.0.0.1:80`. */
  door: Text
  /** The `Host` header that the front door needs. */
  doorHost?: Text
  registry?: { server?: Text; username: Text; password: FromEnv }
  /** Variables of the Compose files. */
  environment?: Readonly<Record<string, Text>>
  /** Secrets that services read as files, by file name. */
  secrets?: Readonly<Record<string, FromEnv>>
}) => PlatformDescription = platform('compose')

/** One namespace of a Kubernetes cluster, by kubectl; `overlay` is the Kustomize folder of the environment. A release replaces the one before in place. */
export const kubernetes: (options: {
  /** Address of the API server, as the kubeconfig has it; one that leads elsewhere is refused. */
  cluster: Text
  namespace: string
  overlay: string
  /** Where they are not kubectl's own choice: a file, or the text of one as a secret. */
  kubeconfig?: Text
  context?: Text
  /** Address at which users come in, as it is reached from here; `doorHost` is the `Host` header that it needs. */
  door: Text
  doorHost?: Text
  /** What runs a service where it is not a Deployment of its name: `{ worker: 'statefulset/jobs' }`. */
  workloads?: Readonly<Record<string, string>>
  /** Secrets that belong to releases besides those that the overlay's pods name. */
  secrets?: Readonly<Record<string, { secret: string; keys?: readonly string[] }>>
}) => PlatformDescription = platform('kubernetes')

/** A service that releases are made of. */
export type ServiceOfStack = {
  image: string
  port?: number
  health?: string
  /** Path with which the front door reaches it; its health path unless said. */
  door?: string
  traffic: 'split' | 'none'
  twice: 'allowed' | 'never'
}

/** A time in which nothing is deployed, unless DEPLOY is typed: from `2026-05-14 06:00` to …, or while a setting is true. */
export const frozen = (when: { from: string; to: string; why: string } | { whenSet: string; why: string }) => ({ kind: 'frozen' as const, ...when })

/** Commands that stop and start what writes the data; `running` exits 0 while it runs, 1 while it is stopped. */
export type WritersDescription = { readonly stop: readonly string[]; readonly start: readonly string[]; readonly running: readonly string[] }

/** One environment of a stack: whole values, nothing is merged into what stands above. */
export type Environment = {
  /** Where releases run. */
  readonly platform?: PlatformDescription
  /** People besides the operator who must agree to a deploy. */
  readonly approvals?: number
  /** Times in which nothing is deployed. */
  readonly freeze?: readonly ReturnType<typeof frozen>[]
  /** Destructive steps need the typed name, or `--confirm=<stack>/<environment>`. */
  readonly protected?: boolean
  readonly stores: readonly [StoreDescription, ...StoreDescription[]]
  readonly writers?: WritersDescription
  /** Who is told of what runs come to. */
  readonly notify?: readonly NotifierDescription[]
  /** A file `….prom` of node-exporter's textfile collector, written at the end of every run; a relative path is inside RUNBOOKS_HOME. */
  readonly metrics?: string
  /** Instead of the stack's checks. */
  readonly checks?: readonly CheckDescription[]
  readonly setup?: SetupDescription
  /** Instead of the stack's schedules. */
  readonly schedules?: readonly Schedule[]
  /** Data of this environment, where it differs from the stack's. */
  readonly data?: Readonly<Record<string, Part>>
}

/** Encryption to age recipients (`age1…`): each alone can decrypt, and who backs up cannot. */
export const age = (options: { readonly recipients: readonly [Text, ...Text[]] }) => ({ kind: 'age' as const, recipients: options.recipients })

/** How a stack is backed up. */
export type Backups = {
  readonly objectives?: { readonly dataLoss?: Duration; readonly recovery?: Duration }
  readonly encryption?: ReturnType<typeof age>
  /** With several stores: whether a backup must reach `all` (the default) or `any` of them. */
  readonly policy?: 'all' | 'any'
  /** What is kept, as `restic forget` understands it; the rest goes after each backup. Without it nothing is ever removed. */
  readonly keep?: Keep
}

/** What a team edits: one typed file a stack. */
export type StackDescription = {
  readonly name: string
  /** Of every time that is typed or printed, as `Europe/Paris`. */
  readonly timezone: string
  /** What releases are made of. */
  readonly services?: Readonly<Record<string, ServiceOfStack>>
  /** What is deployed by new configuration instead, on a Compose platform. */
  readonly configured?: Readonly<Record<string, ConfiguredDescription>>
  readonly deploy?: DeployDescription
  readonly data: Readonly<Record<string, Part>>
  readonly backups?: Backups
  /** What health-check.ts looks at besides the data, the stores and the age of the backups. */
  readonly checks?: readonly CheckDescription[]
  /** What setup.ts makes in a new environment. */
  readonly setup?: SetupDescription
  /** What runs when, in the stack's time zone; `schedule.ts` prints it for cron, systemd or Kubernetes. */
  readonly schedules?: readonly Schedule[]
  readonly environments: Readonly<Record<string, Environment>>
}

/** A stack with the environment that was chosen. */
export type StackInUse = { readonly description: StackDescription; readonly environment: string }

/** A stack file's default export. */
export const defineStack = (stack: StackDescription): StackDescription => stack

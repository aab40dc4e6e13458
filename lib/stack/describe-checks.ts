import type { Duration } from '../plan/durations.ts'
import type { CheckDescription, ComposeServiceDescription, FromEnv, ServiceDescription, Text } from './describe.ts'

const described =
  (kind: string) =>
  (options: Readonly<Record<string, unknown>> = {}): CheckDescription => ({ family: 'check', kind, options })

type Named = { name?: string }
/** `ssh://deploy@shop`, with the text of a key and the host keys that are trusted; this machine unless said. */
type Machine = { host?: Text; key?: FromEnv; knownHosts?: Text }
/** Inside that service of the machine, or on it. */
type Place = Machine & { in?: ComposeServiceDescription }
type Engine = Machine & { project: string }
type Server = { url?: FromEnv; host?: Text; port?: number; user?: Text; password?: FromEnv; in?: ServiceDescription; bin?: Text }

/** An address that must answer: status (any 2xx unless said), body, fields of its JSON, version, and in time. */
const http: (
  options: Named & {
    url: Text
    status?: number | readonly number[]
    contains?: string
    json?: Readonly<Record<string, string | number | boolean | null>>
    version?: { field: string; is?: Text }
    within?: Duration
    limit?: Duration
    follow?: boolean
    headers?: Readonly<Record<string, Text>>
    authorization?: FromEnv
    ca?: string
  },
) => CheckDescription = described('http')

/** The certificate that a port shows: chain, names, and that a quarter of its lifetime (`remaining`) is left. */
const tls: (
  options: Named & { host: Text; port?: number; names?: readonly string[]; remaining?: number; left?: Duration; ca?: string },
) => CheckDescription = described('tls')

/** Room on the file system of a path: 10 % of bytes and inodes unless said. */
const disk: (options: Named & Place & { path: string; freePercent?: number; freeBytes?: number }) => CheckDescription = described('disk')

/** Memory that is available: 10 % unless said. */
const memory: (options?: Named & Place & { availablePercent?: number }) => CheckDescription = described('memory')

/** The containers of a Compose project; those without a health check are `unknown` unless they stand in `runningIsEnough`. */
const containers: (
  options: Named & Engine & { services?: readonly string[]; runningIsEnough?: readonly string[]; restarts?: number },
) => CheckDescription = described('containers')

/** That services of a Compose project run these images: `name:tag`, or with a digest. */
const images: (options: Named & Engine & { images: Readonly<Record<string, string>> }) => CheckDescription = described('image-drift')

/** A PostgreSQL server: that it answers, how far standbys are behind, and its connections. */
const postgres: (options: Named & Server & { database?: Text; lag?: Duration; standbys?: number; connectionsPercent?: number }) => CheckDescription =
  described('postgres')

/** A MongoDB server or replica set: that it answers, has a primary, and its members follow. */
const mongodb: (options: Named & { uri: FromEnv; in?: ServiceDescription; lag?: Duration }) => CheckDescription = described('mongodb')

/** A Redis server: that it answers, can write to disk, and has memory left. */
const redis: (options: Named & Server & { aof?: boolean; memoryPercent?: number }) => CheckDescription = described('redis')

/** What a Prometheus knows: targets that are down, alerts that fire. */
const prometheus: (
  options: Named & {
    url: Text
    jobs?: readonly string[]
    labels?: Readonly<Record<string, string>>
    ignore?: readonly string[]
    authorization?: FromEnv
  },
) => CheckDescription = described('prometheus')

/** What is looked at besides what follows from the stack itself: `checks: [check.http({ url: 'https://shop.example/health' })]`. */
export const check = { http, tls, disk, memory, containers, images, postgres, mongodb, redis, prometheus }

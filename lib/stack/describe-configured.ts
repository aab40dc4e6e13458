import type { FromEnv } from './describe.ts'

/** What a service must say on a loopback port of its host. `file` is its main file, below the folder of the assets. */
export type ProofDescription =
  | { kind: 'prometheus' | 'alertmanager'; port: number; file: string }
  /** `boards` is the folder of the boards that must be there, looked for as `user` with the password in that secret. */
  | { kind: 'grafana'; port: number; boards?: string; user?: string; password?: string }
  | { kind: 'http'; port: number; path: string; contains?: string }

/** A service that is deployed by new configuration instead of in slots: checked in its image, applied by reload, proven by what it says. */
export type ConfiguredDescription = {
  /** Its Compose file, in the folder of the platform's assets. */
  file: string
  /** The folder of its configuration beside that file. */
  folder?: string
  /** Exits 0 in its image when the configuration is valid: `['promtool', 'check', 'config', '/etc/prometheus/prometheus.yml']`. */
  check?: readonly [string, ...string[]]
  /** How it is told to read its files again, unless the container has to be another; `restart` unless said. */
  apply?: 'HUP' | 'restart'
  /** Secrets that it reads as files, by file name. */
  secrets?: Readonly<Record<string, FromEnv>>
  proof: ProofDescription
}

import { mustRun } from '../exec/process.ts'
import type { Doing } from '../plan/plan.ts'
import { type Machine, onMachine } from './place.ts'

/** The containers that a look is about: those of a Compose project, on this machine or another. */
export type Containers = Machine & { readonly project: string }

/** A container as `docker inspect` shows it; the fields that are judged. */
export type Container = {
  readonly Name: string
  readonly RestartCount: number
  /** Digest of the image's configuration. */
  readonly Image: string
  readonly State: {
    readonly Status: string
    readonly ExitCode: number
    readonly OOMKilled: boolean
    readonly Error?: string
    readonly StartedAt: string
    readonly FinishedAt: string
    readonly Health?: { readonly Status: string; readonly Log?: readonly { readonly ExitCode: number; readonly Output: string }[] | null }
  }
  readonly Config: { readonly Image: string; readonly Labels?: Readonly<Record<string, string>> | null }
  readonly HostConfig?: { readonly RestartPolicy?: { readonly Name: string } }
}

/** Asks the Docker engine of a machine, and gives what it prints; throws when it could not be asked. */
export type Asks = (...argv: readonly string[]) => Promise<string>

/** Works with the Docker engine of a machine. */
export function withDocker<T>(machine: Machine, doing: Doing, work: (ask: Asks) => Promise<T>): Promise<T> {
  return onMachine(machine, on => work(async (...argv) => (await mustRun(on({ file: 'docker', argv }), doing)).stdout))
}

/** Every container of a project, ended ones too. Throws when Docker could not be asked. */
export async function inspected(ask: Asks, project: string): Promise<readonly Container[]> {
  const listed = await ask('ps', '--all', '--quiet', '--no-trunc', '--filter', `label=com.docker.compose.project=${project}`)
  const ids = listed.split('\n').filter(Boolean)
  return ids.length === 0 ? [] : (JSON.parse(await ask('inspect', '--type', 'container', ...ids)) as Container[])
}

/** The service that a container is an instance of. */
export const serviceOf = ({ Config, Name }: Container): string => Config.Labels?.['com.docker.compose.service'] ?? Name.replace(/^\//, '')

import { basename } from 'node:path'
import { Trouble } from '../../../plan/outcome.ts'
import type { ConfiguredService } from '../../configured.ts'
import { pathsOf, type Site } from '../site.ts'

/** A configured service with the folders that it has on the host. */
export type Place = {
  readonly service: ConfiguredService
  /** Compose project of its file: `benevoclic-monitoring` of monitoring.yaml. */
  readonly project: string
  readonly base: string
  /** What it has in use. Mounted folders keep their identity, so files change inside them. */
  readonly live: string
  /** What is kept of a release, as it was staged. */
  kept(release: string): string
}

/** The place of a configured service; Trouble(1) for a name that the stack file has not. */
export function placeOf(site: Site, name: string): Place {
  const service = site.setting.configured?.find(one => one.name === name)
  if (!service) throw new Trouble(1, `${name} is not a configured service`)
  const base = `${pathsOf(site).root}/configured/${name}`
  return {
    service,
    project: `${site.options.project}-${basename(service.file).replace(/\.ya?ml$/, '')}`,
    base,
    live: `${base}/live`,
    kept: release => `${base}/kept/${release}`,
  }
}

/** `docker compose` for a service, with the files of a folder. */
export function configuredArgv({ project, service }: Place, folder: string, more: readonly string[] = []): string[] {
  const envs = ['environment', 'service.env', ...more].flatMap(name => ['--env-file', `${folder}/${name}`])
  return ['compose', '-p', project, '--project-directory', `${folder}/files`, ...envs, '-f', `${folder}/files/${service.file}`]
}

import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import type { Site } from './site.ts'
import { lastWords, said } from './there.ts'

/** What of a Compose file's services holds data: folders of the host, and volumes. */
type Config = {
  readonly services?: Readonly<
    Record<string, { readonly volumes?: readonly { readonly type: string; readonly source?: string; readonly read_only?: boolean }[] }>
  >
  readonly volumes?: Readonly<Record<string, { readonly external?: boolean } | null>>
}

/** What services of Compose files could write to that is not theirs alone: folders of the host outside of `own`, and volumes that other projects have. */
export function sharedMounts({ services = {}, volumes = {} }: Config, own: readonly string[]): string[] {
  const inside = (path: string) => own.some(folder => path === folder || path.startsWith(`${folder.replace(/\/+$/, '')}/`))
  return Object.entries(services).flatMap(([service, { volumes: mounts = [] }]) =>
    mounts.flatMap(({ type, source = '', read_only }) => {
      if (read_only) return []
      const shared = type === 'bind' ? !inside(source) : type === 'volume' && volumes[source]?.external === true
      return shared ? [`${service} can write to ${source}`] : []
    }),
  )
}

/** Trouble(3) when services of a rehearsal could write to what is not its own: that may be live data, whatever settings say. */
export async function nothingShared(site: Site, argv: readonly string[], own: readonly string[], doing: Doing): Promise<void> {
  const { code, stdout, stderr } = await said(site, 'exec docker "$@"', doing, [...argv, 'config', '--format', 'json'])
  if (code !== 0) throw new Trouble(3, `The files of the release are not valid: ${lastWords(stderr)}`)
  const shared = sharedMounts(JSON.parse(stdout) as Config, own)
  if (shared.length === 0) return
  throw new Trouble(3, `In a rehearsal ${shared.join(', ')}, which may be live data`, {
    next: ['name the folder by a variable of the platform, and that variable in deploy.rehearse'],
  })
}

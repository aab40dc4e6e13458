import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Command, quote, type Way } from '../../exec/command.ts'
import { run } from '../../exec/process.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { redact, Secret } from '../../plan/secrets.ts'
import { type Api, apiThrough } from './api.ts'
import { type Forwards, forwardsThrough } from './forward.ts'

/** The way to one namespace of one cluster. */
export type Kube = {
  readonly namespace: string
  /** Makes sure that kubectl leads to the cluster that the stack file names; Trouble(3) when it leads elsewhere. */
  verify(doing: Doing): Promise<void>
  /** kubectl with the cluster and the namespace spelled out; nothing runs before `verify` has passed. */
  command(argv: readonly string[], more?: Partial<Command>): Command
  /** As a person types it. */
  typed(...argv: readonly string[]): string
  readonly api: Api
  readonly forwards: Forwards
  close(): Promise<void>
}

/** `kubeconfig` is a file, or the text of one as a Secret. */
type Where = { readonly cluster: string; readonly namespace: string; readonly kubeconfig?: string | Secret; readonly context?: string }

/** Longest time for kubectl to read its own configuration, in milliseconds. */
const CONFIG_MS = 15_000

/** The way to a cluster; nothing is asked until it is used. */
export function kubeTo({ cluster, namespace, kubeconfig, context }: Where): Kube {
  // Named once, made when it is needed: what is built before then knows its files all the same.
  const folder = join(tmpdir(), `kubectl-${randomBytes(8).toString('hex')}`)
  const path = kubeconfig instanceof Secret ? join(folder, 'kubeconfig') : kubeconfig
  const file = path ? ['--kubeconfig', path] : []
  const filesThere = () => {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    if (kubeconfig instanceof Secret && path && !existsSync(path)) {
      // Whole from the first moment: a kubectl beside this one that finds half a file has no cluster.
      writeFileSync(`${path}.new`, kubeconfig.reveal(), { mode: 0o600 })
      renameSync(`${path}.new`, path)
    }
    // kubectl takes a missing file for an empty one.
    if (path && !existsSync(path)) throw new Trouble(3, `There is no kubeconfig ${path}`, { next: advice(cluster) })
  }
  let chosen = context
  let verified: Promise<void> | undefined
  // Once it is known, the context is spelled out: whoever changes the current one in another window must not lead a run astray.
  const flags = () => [...file, ...(chosen ? ['--context', chosen] : [])]
  const shown = () => (kubeconfig instanceof Secret ? flags().slice(2) : flags())
  const verify = async (doing: Doing): Promise<void> => {
    filesThere()
    verified ??= leadsTo(cluster, flags(), doing).then(
      found => {
        chosen = found
      },
      error => {
        verified = undefined
        throw error
      },
    )
    return verified
  }
  const wayOf = (pinned: boolean): Way => ({
    says: 'kubectl',
    async open(doing) {
      // Made before the context was known, it follows the current one, which may be another by now.
      if (pinned) await verify(doing)
      else {
        filesThere()
        await leadsTo(cluster, file, doing)
      }
      return { greeting: '', until: new AbortController().signal, ended: async () => undefined }
    },
  })
  const api = apiThrough({ flags, verify, folder, where: cluster })
  const forwards = forwardsThrough({ flags, namespace, folder, verify })
  return {
    namespace,
    verify,
    command: (argv, more = {}) => ({
      file: 'kubectl',
      argv: [...flags(), '--namespace', namespace, ...argv],
      way: wayOf(chosen !== undefined),
      typed: { file: 'kubectl', argv: [...shown(), '--namespace', namespace, ...argv] },
      ...more,
    }),
    typed: (...argv) => ['kubectl', ...shown(), '--namespace', namespace, ...argv].map(quote).join(' '),
    api,
    forwards,
    async close() {
      await Promise.all([api.close(), forwards.close()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

type Config = { readonly clusters?: readonly { readonly cluster?: { readonly server?: string } }[] | null; readonly 'current-context'?: string }

/** The context that leads there; Trouble(3) when the one that would be used leads elsewhere. */
async function leadsTo(cluster: string, login: readonly string[], doing: Doing): Promise<string> {
  const look = [['kubectl', ...login, 'config', 'get-contexts'].map(quote).join(' ')]
  const asked = await run({ file: 'kubectl', argv: [...login, 'config', 'view', '--minify', '-o', 'json'] }, doing, { budgetMs: CONFIG_MS })
  if (asked.code !== 0) throw new Trouble(3, `kubectl has no way to ${cluster}: ${redact(asked.stderr.trim())}`, { look, next: advice(cluster) })
  const config = JSON.parse(asked.stdout) as Config
  const server = config.clusters?.[0]?.cluster?.server
  const context = config['current-context']
  if (context && server !== undefined && addressOf(server) === addressOf(cluster)) return context
  const why = server === undefined ? 'kubectl has no cluster' : `the context ${context} leads to ${server}, not to ${cluster}`
  throw new Trouble(3, `Refused: ${why}`, { look, next: advice(cluster) })
}

const advice = (cluster: string) => [`choose the context of ${cluster}: context: '…' (and kubeconfig: '…') of kubernetes({ … }) in the stack file`]

/** `https://host:443/` and `https://HOST` are one address. */
function addressOf(server: string): string {
  return URL.canParse(server) ? new URL(server).href.replace(/\/+$/, '') : server
}

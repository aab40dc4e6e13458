import type { Shared } from '../../lib/run/leases.ts'
import { load } from '../platforms/load.ts'
import { invoke, type Ran, type World } from '../runbooks/kit.ts'

/** Runs a runbook that must come to this exit, and gives how it came out. */
export async function must(
  exit: number,
  shop: World,
  runbook: string,
  flags: readonly string[],
  how: Parameters<typeof invoke>[3] = {},
): Promise<Ran> {
  const ran = await invoke(shop, runbook, flags, how)
  if (ran.exit !== exit) throw new Error(`${runbook} ${flags.join(' ')}: exit ${ran.exit} and not ${exit}: ${ran.last}\n${ran.stderr}`)
  return ran
}

/** Deploys a version; it must come to serve. */
export const deployed = (shop: World, version: string, ...flags: readonly string[]): Promise<Ran> =>
  must(0, shop, 'deploy', [`--version=${version}`, '--yes', ...flags])

/** Does something while others keep asking the front door, over new and kept connections; gives what failed of their requests. */
export async function underLoad<T>(
  shop: { readonly port: number; readonly path?: string; readonly pauseMs?: number; readonly headers?: Readonly<Record<string, string>> },
  work: () => Promise<T>,
): Promise<{ readonly done: T; readonly sent: number; readonly failures: readonly string[] }> {
  const crowd = load({ url: `http://127.0.0.1:${shop.port}`, headers: shop.headers ?? {} }, shop.path ?? '/', shop.pauseMs)
  const done = await work().catch(async error => {
    await crowd.stop()
    throw error
  })
  const { sent, failures } = await crowd.stop()
  return { done, sent, failures }
}

/** The text of stderr in one line, as it is wrapped to a width. */
export const said = ({ stderr }: Ran): string => stderr.replace(/\s+/g, ' ')

/** Runs that have to be settled. One that died before its first intent has touched nothing, and goes when the next run ends. */
export const openIn = ({ open }: Shared): readonly string[] => Object.keys(open).filter(run => open[run]?.some(entry => entry.at === 'intent'))

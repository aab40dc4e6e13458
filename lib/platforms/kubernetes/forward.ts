import type { Child } from '../../exec/child.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { redact } from '../../plan/secrets.ts'
import { closed, leashed } from './leash.ts'

/** Ways to ports of single pods, from ports of 127.0.0.1: each is made once, and kept until the end. */
export type Forwards = {
  /** The port here that leads to a port of a pod; Trouble(3) when we may not, Trouble(8) when it cannot be made. */
  to(pod: string, port: number, doing: Doing): Promise<number>
  close(): Promise<void>
}

type Through = { flags(): readonly string[]; readonly namespace: string; readonly folder: string; verify(doing: Doing): Promise<void> }

type Opened = { readonly child: Child; readonly port: number }

/** `kubectl port-forward`, which ends with us. */
export function forwardsThrough({ flags, namespace, folder, verify }: Through): Forwards {
  const open = new Map<string, Promise<Opened>>()
  const made = async (pod: string, port: number, doing: Doing): Promise<Opened> => {
    await verify(doing)
    const { child, said } = await leashed(
      [...flags(), '--namespace', namespace, 'port-forward', '--address=127.0.0.1', `pod/${pod}`, `:${port}`],
      folder,
    )
    const here = /127\.0\.0\.1:(\d+) ->/.exec(said ?? '')?.[1]
    if (here !== undefined) return { child, port: Number(here) }
    await closed(child)
    const words = redact(child.stderr()).trim()
    throw new Trouble(/forbidden/i.test(words) ? 3 : 8, `There is no way to port ${port} of the pod ${pod}: ${words}`, {
      look: [`kubectl --namespace ${namespace} auth can-i create pods/portforward`],
    })
  }
  return {
    async to(pod, port, doing) {
      const key = `${pod}:${port}`
      const way = open.get(key) ?? made(pod, port, doing)
      open.set(key, way)
      const forget = () => void (open.get(key) === way && open.delete(key))
      const opened = await way.catch(error => {
        forget()
        throw error
      })
      void opened.child.ended.then(forget)
      return opened.port
    },
    async close() {
      const all = await Promise.allSettled(open.values())
      await Promise.all(all.map(one => (one.status === 'fulfilled' ? closed(one.value.child) : undefined)))
    },
  }
}

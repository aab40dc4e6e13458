import { Agent, request } from 'node:http'
import { join } from 'node:path'
import type { Doing } from '../lib/plan/plan.ts'
import type { Platform } from '../lib/platforms/platform.ts'
import { ROOT } from '../lib/stack/home.ts'
import { loadStack, makeSite } from '../lib/stack/load.ts'
import { Settings } from '../lib/stack/settings.ts'

const doing: Doing = { run: 'demo', signal: new AbortController().signal, progress: () => undefined, spawned: () => undefined }

async function platform(): Promise<Platform> {
  const stack = await loadStack(join(ROOT, 'config'), 'demo')
  const site = await makeSite(stack, 'local', new Settings({}, 'demo.local.env', {}))
  if (!site.platform) throw new Error('the stack demo has no platform')
  return site.platform
}

/** Ends every process of the demo's sandbox; what it knows stays in its folder. */
export async function closeShop(): Promise<void> {
  const sandbox = await platform()
  for (const slot of ['blue', 'green']) for (const action of sandbox.remove(slot)) await action.run(doing)
}

/** Customers at the front door, several at once, until they are sent home; then how many came, and how many were turned away. */
export async function customers(atOnce: number): Promise<{ goHome(): Promise<{ readonly asked: number; readonly failed: number }> }> {
  const { url } = await (await platform()).door(doing)
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce })
  let open = true
  let asked = 0
  let failed = 0
  const one = async (): Promise<void> => {
    while (open) {
      asked += 1
      if (!(await served(url, agent))) failed += 1
    }
  }
  const all = Promise.all(Array.from({ length: atOnce }, one))
  return {
    async goHome() {
      open = false
      await all
      agent.destroy()
      return { asked, failed }
    },
  }
}

function served(url: string, agent: Agent): Promise<boolean> {
  return new Promise(resolve => {
    request(url, { agent, timeout: 10_000 }, response => {
      response.on('end', () => resolve((response.statusCode ?? 0) < 500)).on('error', () => resolve(false))
      response.resume()
    })
      .on('error', () => resolve(false))
      .end()
  })
}

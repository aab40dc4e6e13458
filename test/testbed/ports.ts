import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Whether something listens on this port of 127.0.0.1. */
export async function inUse(port: number): Promise<boolean> {
  const probe = createServer()
  try {
    probe.listen(port, '127.0.0.1')
    await once(probe, 'listening')
  } catch {
    return true
  }
  probe.close()
  await once(probe, 'close')
  return false
}

/** A free port below the range that systems hand out to outgoing connections (Linux from 32768), which could take it before the server does. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const port = randomInt(20_000, 32_000)
    if (!(await inUse(port))) return port
  }
  throw new Error('no free port was found on 127.0.0.1 between 20000 and 32000')
}

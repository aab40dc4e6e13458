import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { alive, identity } from './identity.ts'

/** Runs `work` while no other process holds the file `lock`; a lock whose holder died is taken over. Waits up to `budgetMs`. */
export async function withLock<T>(lock: string, budgetMs: number, work: () => Promise<T>): Promise<T> {
  const until = Date.now() + budgetMs
  mkdirSync(dirname(lock), { recursive: true })
  while (!take(lock)) {
    // Two who find the same dead holder may both get in; what the lock guards puts its results in place by renaming, so that costs only time.
    if (abandoned(lock)) rmSync(lock, { force: true })
    else if (Date.now() > until)
      throw new Error(`another process has held ${lock} for ${Math.round(budgetMs / 1000)} s; if none is installing, remove it`)
    else await sleep(200)
  }
  try {
    return await work()
  } finally {
    rmSync(lock, { force: true })
  }
}

let attempts = 0

/** A link appears together with what the file says, so a lock never stands without its holder. */
function take(lock: string): boolean {
  const mine = `${lock}.${process.pid}.${++attempts}`
  writeFileSync(mine, JSON.stringify(identity(process.pid)))
  try {
    linkSync(mine, lock)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(mine)
  }
}

function abandoned(lock: string): boolean {
  try {
    return !alive(JSON.parse(readFileSync(lock, 'utf8')))
  } catch {
    // Released meanwhile.
    return false
  }
}

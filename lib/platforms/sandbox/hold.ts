import { existsSync } from 'node:fs'
import type { Detached } from '../../exec/detached.ts'
import { isAlive, self } from '../../exec/survivors.ts'
import { cell } from '../../stores/directory/cell.ts'
import { StoreError } from '../../stores/store.ts'

/** This process, as others can find it again. */
export function me(): Detached {
  const { pid, started, boot } = self()
  return { pid, started, boot }
}

/** Takes a place that only one process may have; false when another one that lives has it. */
export async function take(directory: string, place: string): Promise<boolean> {
  const held = cell(directory, place)
  const { body, version } = await held.read()
  const holder = parsed(body)
  if (holder && isAlive(holder)) return false
  try {
    await held.write(JSON.stringify(me()), version)
    return true
  } catch (error) {
    if (error instanceof StoreError && error.fault === 'conflict') return false
    throw error
  }
}

/** The living process that has a place; null when there is none. */
export async function holderOf(directory: string, place: string): Promise<Detached | null> {
  // A look at a sandbox that is not there yet makes none.
  if (!existsSync(directory)) return null
  const holder = parsed((await cell(directory, place).read()).body)
  return holder && isAlive(holder) ? holder : null
}

function parsed(body: string | null): Detached | null {
  try {
    const holder = JSON.parse(body ?? 'null') as Detached | null
    return holder !== null && Number.isInteger(holder.pid) ? holder : null
  } catch {
    // Written by nobody of ours: whoever comes next takes the place.
    return null
  }
}

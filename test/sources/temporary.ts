import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A new folder, removed when the test has finished. */
export async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runbooks-sources-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

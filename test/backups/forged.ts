import { copyFileSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Manifest, seal } from '../../lib/backups/manifest.ts'
import { idAt } from './retention-made.ts'

/** How a forged point differs from the one that it is made from. */
export type Forging = {
  readonly mark?: string
  /** Changes the manifest before it is sealed. */
  readonly manifest?: (manifest: Manifest) => object
  /** Files of the point that are left out. */
  readonly without?: readonly string[]
  /** Further files, with their text. */
  readonly with?: Readonly<Record<string, string>>
}

/** Makes a point of another time out of one in a directory store: the same data, another name and begin, a manifest that is whole. `base` is the folder of the environment. */
export function forge(base: string, from: string, ms: number, { mark, manifest, without = [], with: more = {} }: Forging = {}): string {
  const id = idAt(ms, mark)
  const time = new Date(ms)
  mkdirSync(join(base, id), { recursive: true })
  for (const file of readdirSync(join(base, from))) {
    if (file.startsWith('.') || without.includes(file)) continue
    if (file === 'manifest.json') {
      const { digest: _, ...old } = JSON.parse(readFileSync(join(base, from, file), 'utf8')) as Manifest & { digest: string }
      const moved = { ...old, id, begun: time.toISOString(), ended: time.toISOString() }
      writeFileSync(join(base, id, file), seal(manifest?.(moved) ?? moved))
    } else copyFileSync(join(base, from, file), join(base, id, file))
  }
  for (const [file, text] of Object.entries(more)) writeFileSync(join(base, id, file), text)
  for (const file of readdirSync(join(base, id))) utimesSync(join(base, id, file), time, time)
  return id
}

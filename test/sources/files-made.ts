import { chmod, link, lstat, lutimes, mkdir, readdir, readFile, readlink, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Json } from '../../lib/plan/plan.ts'

/** Longer than a tar header holds. */
export const LONG = `${'x'.repeat(180)}.txt`
const NAMES = [
  'plain',
  '-rf',
  '--help',
  'a b',
  "it's",
  'say "x"',
  'two\nlines',
  'caf\u00e9',
  'cafe\u0301',
  '日本',
  '...',
  'back\\slash',
  '*',
  LONG,
  `é${'y'.repeat(120)}`,
]

/** Makes a folder of awkward names, modes, times, links and empty things. */
export async function tree(root: string): Promise<void> {
  await mkdir(join(root, 'sub', 'empty'), { recursive: true })
  for (const name of NAMES) await writeFile(join(root, name), `I am ${name}`)
  await mkdir(join(root, 'deep '.repeat(20), LONG.slice(0, 150), 'end'), { recursive: true })
  await writeFile(join(root, 'deep '.repeat(20), LONG.slice(0, 150), 'end', 'file'), 'deep')
  await writeFile(join(root, 'sub', 'nothing'), '')
  await writeFile(join(root, 'sub', 'zeros'), Buffer.alloc(100_000))
  await writeFile(join(root, 'sub', 'closed'), 'closed')
  // Only root can read what is closed to its owner.
  await chmod(join(root, 'sub', 'closed'), process.getuid?.() === 0 ? 0o000 : 0o400)
  await writeFile(join(root, 'sub', 'program'), '#!/bin/sh\n')
  await chmod(join(root, 'sub', 'program'), 0o4755)
  await link(join(root, 'plain'), join(root, 'sub', 'hard link'))
  await symlink('../plain', join(root, 'sub', 'link'))
  await symlink(`nowhere/${'z'.repeat(140)}/ü`, join(root, 'dangling'))
  await symlink('..', join(root, 'up'))
  await utimes(join(root, 'sub', 'nothing'), 0, 0)
  await utimes(join(root, 'plain'), 4_000_000_000, 4_000_000_000)
  await lutimes(join(root, 'dangling'), 1_000_000_000, 1_000_000_000)
  await utimes(join(root, 'sub', 'empty'), 1_100_000_000, 1_100_000_000)
  await chmod(join(root, 'sub', 'empty'), 0o500)
  await utimes(join(root, 'sub'), 1_200_000_000, 1_200_000_000)
}

/** Everything below a folder; links are not followed (as Node's own recursive readdir would). */
export async function read(root: string, path = ''): Promise<Json[]> {
  const at = join(root, path)
  const stats = await lstat(at)
  const body = stats.isFile() ? (await readFile(at)).toString('base64') : stats.isSymbolicLink() ? await readlink(at) : null
  const found: Json[] = [[path, stats.isSymbolicLink() ? null : stats.mode, Math.floor(stats.mtimeMs / 1000), body]]
  if (stats.isDirectory()) for (const name of (await readdir(at)).sort()) found.push(...(await read(root, join(path, name))))
  return found
}

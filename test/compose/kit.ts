import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { folderOf } from './assets.ts'

/** A copy of a stack's folder as a person has it after copying: without what git ignores. */
export function copyOf(stack: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'runbooks-compose-'))
  cpSync(folderOf(stack), folder, { recursive: true, filter: path => !/\/(secrets|tls|uploads|\.env)$/.test(path) })
  return folder
}

/** Removes copies. */
export function remove(folders: readonly string[]): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
}

/** Runs a program in a folder with PATH, HOME and the variables given, and nothing else of this process's environment. */
export function run(folder: string, file: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync(file, argv, {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
  })
  return { status, stdout, stderr }
}

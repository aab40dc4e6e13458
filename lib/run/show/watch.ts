import { plainLog } from './plain-log.ts'
import { type Env, isLively, type Screen, styleFor } from './style.ts'
import { silent, type Watcher } from './watcher.ts'

/** The watcher for a run: nothing with `--quiet`, a tree on a lively terminal, else one line an event; all on stderr, so that stdout stays the result. */
export async function watch(stderr: Screen & { write(text: string): unknown }, env: Env, options: { readonly quiet: boolean }): Promise<Watcher> {
  if (options.quiet) return silent
  if (!isLively(stderr, env)) return plainLog(text => stderr.write(text))
  const { tree } = await import('./tree.ts')
  return tree({ out: stderr, style: styleFor(stderr, env) })
}

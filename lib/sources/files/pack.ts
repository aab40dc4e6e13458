import type { Pack } from 'tar-stream'
import type { Doing } from '../../plan/plan.ts'
import { drained } from './drained.ts'
import { reading, unreadable } from './read.ts'
import { secondsOf, summed, type Tally } from './tally.ts'
import { type Found, walk } from './walk.ts'

/** The largest owner id and time that fit the octal fields of a tar header as tar-stream writes them; larger ones go into pax records. */
const MAX_OCTAL_ID = 0o777777
const MAX_TIME = 0x7fff_ffff

type Header = Parameters<Pack['entry']>[0]
type Sink = ReturnType<Pack['entry']>

/** A tar of a folder: the folder itself is `.`, its contents begin with `./`, so that no name looks like an option. */
export async function* packed(root: string, tally: Tally, doing: Doing): AsyncGenerator<Buffer> {
  const { pack } = await import('tar-stream')
  const archive = pack()
  const producing = produce(archive, root, tally, doing).then(
    () => archive.finalize(),
    (error: unknown) => {
      archive.destroy(error as Error)
      throw error
    },
  )
  producing.catch(() => undefined)
  try {
    for await (const chunk of archive) yield chunk as Buffer
    await producing
  } finally {
    archive.destroy()
    await producing.catch(() => undefined)
  }
}

async function produce(archive: Pack, root: string, tally: Tally, doing: Doing): Promise<void> {
  for await (const found of walk(root, tally.warnings)) {
    doing.signal.throwIfAborted()
    if (archive.destroyed) return
    if (found.kind === 'file') {
      await reading(found, tally.warnings, async ({ stats, bytes }) => {
        const sum = { size: 0, crc: 0 }
        const entry = archive.entry(headerOf({ ...found, stats }))
        await pour(summed(bytes, sum), entry)
        tally.add({ kind: 'file', path: found.path, mode: stats.mode, mtimeSeconds: secondsOf(stats.mtimeMs), ...sum })
      }).catch(unreadable(found.path))
    } else {
      await new Promise<void>((resolve, reject) => archive.entry(headerOf(found), error => (error ? reject(error) : resolve())))
      const { kind, path, stats, target } = found
      tally.add({ kind, path, mode: stats.mode, mtimeSeconds: secondsOf(stats.mtimeMs), ...(target === undefined ? {} : { target }) })
    }
  }
}

function headerOf({ kind, path, stats, target }: Found): Header {
  const seconds = secondsOf(stats.mtimeMs)
  const fits = seconds >= 0 && seconds <= MAX_TIME
  const pax: Record<string, string> = {}
  if (!fits) pax.mtime = String(seconds)
  if (stats.uid > MAX_OCTAL_ID) pax.uid = String(stats.uid)
  if (stats.gid > MAX_OCTAL_ID) pax.gid = String(stats.gid)
  return {
    name: path === '' ? '.' : `./${path}`,
    type: kind === 'link' ? 'symlink' : kind,
    // With the bits of its type, which tar-stream masks: a bare mode of 0 would be taken for none.
    mode: stats.mode,
    uid: Math.min(stats.uid, MAX_OCTAL_ID),
    gid: Math.min(stats.gid, MAX_OCTAL_ID),
    size: kind === 'file' ? stats.size : 0,
    mtime: new Date(fits ? seconds * 1000 : 0),
    ...(target === undefined ? {} : { linkname: target }),
    ...(Object.keys(pax).length === 0 ? {} : { pax }),
  }
}

/** Writes everything to a stream and waits for its end; a stream that is destroyed meanwhile rejects. */
async function pour(bytes: AsyncIterable<Buffer>, into: Sink): Promise<void> {
  const ended = new Promise<void>((resolve, reject) => {
    into.once('error', reject)
    into.once('close', resolve)
  })
  ended.catch(() => undefined)
  for await (const chunk of bytes) {
    if (into.destroyed) break
    if (into.write(chunk)) continue
    await drained(into)
  }
  into.end(null)
  await ended
}

/** One transfer as a process of its own, so that its time and memory can be taken: `ours.ts backup|verify|restore <store folder> <file>…`. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseIndex, printIndex } from '../lib/backups/frame-index.ts'
import { compress, decompress, type Receipt } from '../lib/backups/frames.ts'
import { feed, stdoutOf } from '../lib/exec/process.ts'
import type { Doing } from '../lib/plan/plan.ts'
import { directory } from '../lib/stores/directory/index.ts'

const doing: Doing = { run: 'bench', signal: new AbortController().signal, progress: () => {}, spawned: () => {} }
const [verb, folder = '', ...files] = process.argv.slice(2)
const store = directory({ path: folder })
const OBJECT = 'archive.zst'

async function backup(): Promise<void> {
  const packed = compress(stdoutOf({ file: 'cat', argv: files }, doing, { lend: true }))
  await store.put(OBJECT, packed.stored, doing)
  const { index, ...receipt } = packed.done()
  writeFileSync(join(folder, 'frames'), printIndex(index))
  writeFileSync(join(folder, 'receipt'), JSON.stringify(receipt))
}

async function unpacked(take: (plain: AsyncIterable<Buffer>) => Promise<void>): Promise<void> {
  const work = decompress(store.get(OBJECT, doing), parseIndex(readFileSync(join(folder, 'frames'), 'utf8')))
  await take(work.plain)
  const expected: Receipt = JSON.parse(readFileSync(join(folder, 'receipt'), 'utf8'))
  const found = work.done()
  if (found.plainSha256 !== expected.plainSha256 || found.storedSha256 !== expected.storedSha256) throw new Error('the SHA-256 differs')
}

async function discard(plain: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of plain);
}

async function load(plain: AsyncIterable<Buffer>): Promise<void> {
  await feed({ file: 'sh', argv: ['-c', 'cat > /dev/null'] }, plain, doing)
}

if (verb === 'backup') await backup()
else if (verb === 'verify') await unpacked(discard)
else if (verb === 'restore') await unpacked(load)
else throw new Error(`${verb} is none of backup, verify, restore`)

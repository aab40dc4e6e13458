import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, readFileSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Entry } from '../../lib/plan/journal.ts'
import { step } from '../../lib/plan/nodes.ts'
import { isOpen, Journal, readJournal, runFolders } from '../../lib/run/journal.ts'
import { pruneRuns } from '../../lib/run/prune.ts'
import { inside, plannedFact, temporary } from './engine/inside.ts'
import { toy } from './toys/verbs.ts'

const FILE = 'journal.jsonl'

/** The journal of a real run, with letters that take several bytes. */
async function recorded(): Promise<{ folder: string; bytes: Buffer; entries: readonly Entry[] }> {
  const e = await inside()
  await e.carry([step('Füll a ∅ 🦊', toy('put', e.world, 'a')), step('b', toy('put', e.world, 'b', '1', { fails: 'kaputt ✗' }))])
  const { folder, entries } = e.context.journal
  return { folder, bytes: readFileSync(join(folder, FILE)), entries: JSON.parse(JSON.stringify(entries)) }
}

describe('a journal', () => {
  it('cut at any byte is read as what was whole, and can be gone on with', async () => {
    const { bytes, entries } = await recorded()
    const folder = temporary()
    expect(bytes.length).toBeGreaterThan(2000)
    let ends = 0
    for (let at = 0; at <= bytes.length; at++) {
      if (bytes[at - 1] === 0x0a) ends += 1
      writeFileSync(join(folder, FILE), bytes.subarray(0, at))
      expect(readJournal(folder)).toEqual(entries.slice(0, ends))
    }
    for (let at = 1; at <= bytes.length; at += 97) {
      writeFileSync(join(folder, FILE), bytes.subarray(0, at))
      const journal = Journal.reopen(folder)
      journal.append({ at: 'turned', why: 'torn', to: 'undo' })
      journal.close()
      expect(readJournal(folder)).toEqual(journal.entries)
    }
  })

  it.each([
    ['a line in the middle lost its end', (bytes: Buffer) => Buffer.from(bytes.toString().replace('}\n', '\n'))],
    ['a line is lost in the middle', (bytes: Buffer) => Buffer.from(bytes.toString().split('\n').toSpliced(1, 1).join('\n'))],
    [
      'a line is there twice',
      (bytes: Buffer) =>
        Buffer.from(
          bytes
            .toString()
            .split('\n')
            .toSpliced(1, 0, bytes.toString().split('\n')[1] ?? '')
            .join('\n'),
        ),
    ],
    ['zeros stand where a line was', (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 100).fill(0, 50), Buffer.from('\n'), bytes.subarray(100)])],
    ['an empty line stands in it', (bytes: Buffer) => Buffer.concat([Buffer.from('\n'), bytes])],
  ])('is refused when %s', async (_, spoil) => {
    const { folder, bytes } = await recorded()
    writeFileSync(join(folder, FILE), spoil(bytes))
    expect(() => readJournal(folder)).toThrow(expect.objectContaining({ exit: 5, message: expect.stringMatching(/is damaged at line \d/) }))
  })

  it('is never begun in a folder that is there already', () => {
    const folder = temporary()
    expect(() => Journal.create(folder)).toThrow('EEXIST')
  })

  it('on a disk that is full refuses the line whole, and takes the next one when there is room', () => {
    const folder = temporary()
    const script = `
      const { Journal, readJournal } = await import(${JSON.stringify(join(import.meta.dirname, '../../lib/run/journal.ts'))})
      const journal = Journal.create(process.argv[1])
      const said = []
      for (const size of [10, 5000, 10]) {
        try { journal.append({ at: 'turned', why: 'x'.repeat(size), to: 'undo' }); said.push('written') } catch (error) { said.push(error.exit + ' ' + error.message) }
      }
      console.log(JSON.stringify([said, readJournal(process.argv[1]).length]))`
    // A limit on the size of files is a disk that is full at that size: the kernel takes a part of the line, then refuses.
    const ran = spawnSync(
      'bash',
      ['-c', 'ulimit -f 2; exec "$@"', 'bash', process.execPath, '--input-type=module', '-e', script, join(folder, 'run')],
      {
        encoding: 'utf8',
      },
    )
    expect(JSON.parse(ran.stdout)).toEqual([['written', expect.stringMatching(/^5 The journal in .* cannot be written/), 'written'], 2])
  })
})

describe('a run is open', () => {
  const ended = (exit: number) => ({ at: 'ended', outcome: { word: '', exit, says: '', verified: '' } }) as const
  const told = (...facts: object[]) => facts.map((fact, i) => ({ ...fact, n: i + 1, t: '' }) as Entry)

  it.each([
    ['without a plan', told({ at: 'leased', lease: 'data', token: 1 }), false],
    ['without an end', told(plannedFact('r', [])), true],
    ['that ended well', told(plannedFact('r', []), ended(0)), false],
    ['that was undone', told(plannedFact('r', []), ended(4)), false],
    ['that ended by asking for a person', told(plannedFact('r', []), ended(5)), true],
    ['that was taken up again and died', told(plannedFact('r', []), ended(5), { at: 'settling', how: 'resume' }), true],
  ])('%s: %#', (_, entries, open) => {
    expect(isOpen(entries)).toBe(open)
  })
})

describe('old runs', () => {
  it('are removed after ninety days, unless they are open', () => {
    const home = temporary()
    const make = (name: string, open: boolean, days: number) => {
      const folder = join(home, 'runs', name)
      mkdirSync(join(home, 'runs'), { recursive: true })
      const journal = Journal.create(folder)
      journal.append(plannedFact(name, []))
      if (!open) journal.append({ at: 'ended', outcome: { word: 'DONE', exit: 0, says: '', verified: '' } })
      journal.close()
      const then = Date.now() / 1000 - days * 86_400
      utimesSync(folder, then, then)
    }
    make('old-shop-local-r1', false, 91)
    make('old-shop-local-r2', true, 91)
    make('new-shop-local-r3', false, 89)
    pruneRuns(home)
    expect(runFolders(home, 'shop', 'local').map(folder => folder.slice(-2))).toEqual(['r3', 'r2'])
  })

  it('that died while they wrote are read without their torn line', () => {
    const folder = temporary()
    const journal = Journal.create(join(folder, 'run'))
    journal.append(plannedFact('r', []))
    journal.close()
    appendFileSync(join(folder, 'run', FILE), '{"n":2,"at":"ver')
    expect(readJournal(join(folder, 'run'))).toHaveLength(1)
    truncateSync(join(folder, 'run', FILE), 0)
    expect(readJournal(join(folder, 'run'))).toEqual([])
  })
})

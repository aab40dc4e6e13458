import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Entry, Fact } from '../plan/journal.ts'
import { Trouble } from '../plan/outcome.ts'

/** Makes an entry durable in a folder: the file alone is not enough after a power cut. */
function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r')
  fsyncSync(fd)
  closeSync(fd)
}

/** The local journal of one run: JSON lines, each on disk before the run goes on. */
export class Journal {
  readonly folder: string
  readonly entries: Entry[]
  readonly #fd: number

  private constructor(folder: string, entries: Entry[], fd: number) {
    this.folder = folder
    this.entries = entries
    this.#fd = fd
  }

  /** A new journal in a new folder; throws when the folder exists, because a run's id is used once. */
  static create(folder: string): Journal {
    mkdirSync(join(folder, '..'), { recursive: true, mode: 0o700 })
    mkdirSync(folder, { mode: 0o700 })
    const fd = openSync(join(folder, FILE), 'ax', 0o600)
    syncFolder(folder)
    syncFolder(join(folder, '..'))
    return new Journal(folder, [], fd)
  }

  /** Goes on with an earlier run's journal; a torn last line (a crash while writing) is cut off first. */
  static reopen(folder: string): Journal {
    const entries = readJournal(folder)
    const file = join(folder, FILE)
    const whole = readFileSync(file).lastIndexOf(0x0a) + 1
    truncateSync(file, whole)
    return new Journal(folder, entries, openSync(file, 'a', 0o600))
  }

  /** A journal from the entries that another machine left in the shared state. */
  static adopt(folder: string, entries: readonly Entry[]): Journal {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const draft = join(folder, `${FILE}.part`)
    const fd = openSync(draft, 'w', 0o600)
    writeSync(fd, entries.map(entry => `${JSON.stringify(entry)}\n`).join(''))
    fdatasyncSync(fd)
    closeSync(fd)
    renameSync(draft, join(folder, FILE))
    syncFolder(folder)
    return Journal.reopen(folder)
  }

  /** Writes a fact and returns once it is on disk. */
  append(fact: Fact): Entry {
    const entry = { n: this.entries.length + 1, t: new Date().toISOString(), ...fact } as Entry
    this.#write(Buffer.from(`${JSON.stringify(entry)}\n`))
    this.entries.push(entry)
    return entry
  }

  /** A full disk takes a part of a line only; that part must not stand before the next line. */
  #write(line: Buffer): void {
    const size = fstatSync(this.#fd).size
    try {
      for (let at = 0; at < line.length; ) at += writeSync(this.#fd, line, at)
      fdatasyncSync(this.#fd)
    } catch (cause) {
      ftruncateSync(this.#fd, size)
      throw new Trouble(5, `The journal in ${this.folder} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
        look: [`df -h ${this.folder}`],
      })
    }
  }

  close(): void {
    closeSync(this.#fd)
  }
}

const FILE = 'journal.jsonl'

/** All entries of a run's journal, without a torn last line; any other bad line is Trouble(5), because then nothing in the file can be trusted. */
export function readJournal(folder: string): Entry[] {
  const lines = readFileSync(join(folder, FILE), 'utf8').split('\n')
  const last = lines.length - 1
  return lines.flatMap((line, i) => {
    // Only text after the last line break can be torn: each line goes out with its break.
    if (i === last) return []
    try {
      const entry = JSON.parse(line) as Entry
      if (entry.n !== i + 1) throw new Error(`entry ${i + 1} is missing`)
      return [entry]
    } catch (cause) {
      throw new Trouble(5, `The journal ${join(folder, FILE)} is damaged at line ${i + 1}`, { cause, look: [`less ${join(folder, FILE)}`] })
    }
  })
}

/** Folders of the runs of a stack and environment, oldest first. */
export function runFolders(home: string, stack: string, environment: string): string[] {
  const runs = join(home, 'runs')
  try {
    return readdirSync(runs)
      .filter(name => name.includes(`-${stack}-${environment}-r`))
      .sort()
      .map(name => join(runs, name))
  } catch {
    return []
  }
}

/** Whether the run that wrote these entries still needs settling: it died, or it said itself that a person is needed. Entries without a plan touched nothing. */
export function isOpen(entries: readonly Entry[]): boolean {
  const last = entries.at(-1)
  return entries.some(entry => entry.at === 'planned') && (last?.at !== 'ended' || last.outcome.exit === 5)
}

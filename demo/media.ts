import { chmod, lutimes, mkdir, readdir, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { mixedBytes, type Random, seeded } from './random.ts'

const PHOTOS = 520
const FILM_BYTES = 50_000_000

/** Names that have broken somebody's backup. */
const AWKWARD = [
  'café.txt',
  'cafe\u0301.txt',
  '東京 駅.txt',
  'عربي.txt',
  'emoji 🍕.txt',
  'with space.txt',
  ' leading and trailing ',
  "it's.txt",
  'say "hello".txt',
  '-rf',
  '--checkpoint-action=exec=sh',
  '*.txt',
  '$(touch gone).txt',
  '`id`.txt',
  'back\\slash.txt',
  'semi;colon&and|pipe.txt',
  'line\nbreak.txt',
  'tab\there.txt',
  '...',
  '.hidden',
  'percent%20%00.txt',
  `${'long-'.repeat(45)}name.txt`,
]

const EMPTY_FOLDERS = ['empty', 'empty/nested/deeper', 'photos/2027']

/** Makes the media folder: photographs, one film of 50 MB, awkward names, empty files and folders, links that lead somewhere and nowhere. */
export async function makeMedia(folder: string, now: Date): Promise<void> {
  const random = seeded(7)
  await mkdir(folder, { recursive: true })
  await writePhotos(folder, random)
  await writeFile(join(folder, 'film.bin'), mixedBytes(random, FILM_BYTES))
  for (const name of AWKWARD) await write(join(folder, 'awkward names', name), Buffer.from(`This file is called ${JSON.stringify(name)}\n`))
  await write(join(folder, 'awkward names', 'empty file'), Buffer.alloc(0))
  const deep = Array.from({ length: 12 }, (_, level) => `level ${level}`)
  await write(join(folder, ...deep, 'bottom.txt'), Buffer.from('the bottom\n'))
  for (const empty of EMPTY_FOLDERS) await mkdir(join(folder, empty), { recursive: true })
  await symlink('photos/2025/01/img-0000.jpg', join(folder, 'cover.jpg'))
  await symlink('photos', join(folder, 'álbum'))
  await symlink('../nowhere/at all', join(folder, 'dangling link'))
  await symlink('/etc/hostname', join(folder, 'absolute link'))
  await chmod(join(folder, 'awkward names', '-rf'), 0o400)
  await chmod(join(folder, 'photos', '2025', '01'), 0o750)
  await setTimes(folder, now)
}

/** Adds files, written as of now; returns their paths inside the folder. */
export async function addUploads(folder: string, count: number): Promise<readonly string[]> {
  const known = (await readdir(folder)).length
  const random = seeded(known)
  const added = Array.from({ length: count }, (_, n) => join('uploads', `new ${known}-${n} ✓.jpg`))
  for (const path of added) await write(join(folder, path), mixedBytes(random, 5_000 + random(20_000)))
  return added
}

/** A cleanup script gone wrong: one year of photographs removed, the film cut in half, others overwritten. Returns how many files are lost or spoilt. */
export async function ruinMedia(folder: string): Promise<number> {
  let spoilt = 0
  for (const month of await readdir(join(folder, 'photos', '2025'))) {
    const files = await readdir(join(folder, 'photos', '2025', month))
    spoilt += files.length
  }
  await rm(join(folder, 'photos', '2025'), { recursive: true })
  await truncate(join(folder, 'film.bin'), FILM_BYTES / 2)
  for (const name of AWKWARD.slice(0, 6)) await writeFile(join(folder, 'awkward names', name), 'pwned\n')
  return spoilt + 1 + 6
}

async function writePhotos(folder: string, random: Random): Promise<void> {
  for (let n = 0; n < PHOTOS; n += 1) {
    const year = 2025 + Math.floor(n / 260)
    const month = String(1 + (Math.floor(n / 22) % 12)).padStart(2, '0')
    await write(join(folder, 'photos', String(year), month, `img-${String(n).padStart(4, '0')}.jpg`), mixedBytes(random, 500 + random(12_000)))
  }
}

async function write(path: string, bytes: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bytes)
}

/** Times that depend on `now` alone, folders after their contents. */
async function setTimes(folder: string, now: Date): Promise<void> {
  const seconds = Math.floor(now.getTime() / 1000)
  let age = 0
  for (const entry of (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name)
    age += 3_600
    if (entry.isDirectory()) await setTimes(path, now)
    else if (entry.isSymbolicLink()) await lutimes(path, seconds - age, seconds - age)
    else await utimes(path, seconds - age, seconds - age)
  }
  await utimes(folder, seconds - 60, seconds - 60)
}

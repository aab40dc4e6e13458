// Loaded before a runbook (node --import): gets SIGKILL, or the signal DIE_BY, at a chosen point, or writes down the points that it passes.
import { Buffer } from 'node:buffer'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { isMainThread } from 'node:worker_threads'

// Points: `entry:<n>:before|torn|after` around the n-th journal line, `line:<text>` before the first with that text, `effect:<n>:before|after` around the n-th change of a file or folder.
const dieAt = process.env.DIE_AT
const signal = (process.env.DIE_BY ?? 'SIGKILL') as NodeJS.Signals
const pointsTo = process.env.POINTS_TO
// What the runbook starts must not die by it.
delete process.env.DIE_AT
delete process.env.DIE_BY
delete process.env.POINTS_TO

let entries = 0
let effects = 0
const write = fs.writeSync.bind(fs) as (fd: number, data: string | Uint8Array) => number
const append = fs.appendFileSync.bind(fs)

const [, at_, of_, when] = /^says:(\w+) (.*):(before|torn|after)$/.exec(dieAt ?? '') ?? []
let says = false

function at(point: string): boolean {
  return dieAt === point || (says && point === `entry:${entries}:${when}`)
}

function die(): void {
  process.kill(process.pid, signal)
  // A deadly signal may take a moment to arrive, and nothing may happen in it.
  if (signal === 'SIGKILL') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

if (isMainThread && (dieAt !== undefined || pointsTo !== undefined)) {
  Object.assign(fs, {
    writeSync(fd: number, data: string | Uint8Array, ...rest: unknown[]) {
      const line = Buffer.from(data as string).toString('utf8')
      if (!line.startsWith('{"n":')) return Reflect.apply(write, fs, [fd, data, ...rest])
      entries += 1
      says = when !== undefined && line.includes(`"at":"${at_}","of":"${of_}`)
      if (pointsTo) append(pointsTo, `entry ${entries} ${line.trimEnd().slice(0, 160)}\n`)
      if (at(`entry:${entries}:before`) || (dieAt?.startsWith('line:') && line.includes(dieAt.slice('line:'.length)))) die()
      if (at(`entry:${entries}:torn`)) {
        write(fd, Buffer.from(line).subarray(0, Math.floor(line.length / 2)))
        die()
      }
      return Reflect.apply(write, fs, [fd, data, ...rest])
    },
    fdatasyncSync: ((original: typeof fs.fdatasyncSync) => (fd: number) => {
      original(fd)
      if (at(`entry:${entries}:after`)) die()
    })(fs.fdatasyncSync.bind(fs)),
  })

  const around =
    (name: string, original: (...args: unknown[]) => Promise<unknown>) =>
    async (...args: unknown[]): Promise<unknown> => {
      effects += 1
      const n = effects
      if (pointsTo) append(pointsTo, `effect ${n} ${name} ${args.filter(arg => typeof arg === 'string').join(' → ')}\n`)
      if (at(`effect:${n}:before`)) die()
      const result = await original(...args)
      if (at(`effect:${n}:after`)) die()
      return result
    }
  const promises = fs.promises as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
  for (const name of ['link', 'rename', 'unlink', 'rm', 'rmdir', 'mkdir', 'symlink', 'chmod', 'utimes'])
    promises[name] = around(name, (promises[name] as (...args: unknown[]) => Promise<unknown>).bind(promises))

  const handle = await fs.promises.open('/dev/null')
  const shared = Object.getPrototypeOf(handle) as Record<string, (...args: unknown[]) => Promise<unknown>>
  await handle.close()
  for (const name of ['write', 'writeFile']) {
    const original = shared[name] as (...args: unknown[]) => Promise<unknown>
    shared[name] = async function (this: unknown, ...args: unknown[]) {
      effects += 1
      const n = effects
      if (pointsTo) append(pointsTo, `effect ${n} ${name}\n`)
      if (at(`effect:${n}:before`)) die()
      if (at(`effect:${n}:half`)) {
        const bytes = Buffer.from(args[0] as Uint8Array)
        await Reflect.apply(original, this, [bytes.subarray(0, Math.floor(bytes.length / 2))])
        die()
      }
      const result = await Reflect.apply(original, this, args)
      if (at(`effect:${n}:after`)) die()
      return result
    }
  }
  syncBuiltinESMExports()
}

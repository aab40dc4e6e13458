import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Doing } from '../../lib/plan/plan.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import type { AzureOptions } from '../../lib/stores/azure-blob/client.ts'
import { azureBlob, directory, s3 } from '../../lib/stores/index.ts'
import type { S3Options } from '../../lib/stores/s3/client.ts'
import type { Store } from '../../lib/stores/store.ts'

/** A store as plain data, so that a child process can open the same one. */
export type Recipe =
  | { readonly kind: 'directory'; readonly path: string }
  | ({ readonly kind: 's3'; readonly accessKey: string; readonly secretKey: string } & Omit<S3Options, 'accessKeyId' | 'secretAccessKey'>)
  | ({ readonly kind: 'azure-blob'; readonly key: string } & Omit<AzureOptions, 'key'>)

/** The store of a recipe. */
export function open(recipe: Recipe): Store {
  if (recipe.kind === 'directory') return directory({ path: recipe.path })
  if (recipe.kind === 'azure-blob') {
    const { kind: _, key, ...options } = recipe
    return azureBlob({ ...options, key: new Secret('account key', key) })
  }
  const { kind: _, accessKey, secretKey, ...options } = recipe
  return s3({ ...options, accessKeyId: new Secret('access key', accessKey), secretAccessKey: new Secret('secret key', secretKey) })
}

/** What surrounds a call, with nobody watching. */
export function doing(signal: AbortSignal = new AbortController().signal): Doing {
  return { run: 'r1', signal, progress() {}, spawned() {} }
}

const MIB = 1024 * 1024
/** One MiB that does not compress and has no period that chunk sizes could hide. */
const noise = Buffer.concat(Array.from({ length: MIB / 32 }, (_, n) => createHash('sha256').update(String(n)).digest()))

/** The same bytes each time, in chunks of the given sizes in turn. */
export async function* bytes(total: number, sizes: readonly number[] = [64 * 1024], pauseMs = 0): AsyncGenerator<Buffer> {
  for (let at = 0, turn = 0; at < total; turn += 1) {
    const start = at % MIB
    const length = Math.min(sizes[turn % sizes.length]!, total - at, MIB - start)
    if (pauseMs > 0) await delay(pauseMs)
    yield noise.subarray(start, start + length)
    at += length
  }
}

/** A body of one small text. */
export async function* said(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text)
}

/** Length and SHA-256 of a stream: what is compared instead of megabytes. */
export async function digest(stream: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256')
  let length = 0
  for await (const chunk of stream) {
    hash.update(chunk)
    length += chunk.length
  }
  return `${length} ${hash.digest('hex')}`
}

/** What a promise was rejected with; fails when it was not. */
export async function refusal(promise: Promise<unknown>): Promise<Error & { readonly fault?: string }> {
  const outcome = await promise.then(
    () => null,
    (error: unknown) => error,
  )
  if (!(outcome instanceof Error)) throw new Error('it was not refused')
  return outcome
}

import { createHash } from 'node:crypto'
import { createReadStream, readFileSync, statSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Image } from '../../testbed/images.ts'

const PLAIN = 'application/vnd.oci.image.layer.v1.tar'

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return `sha256:${hash.digest('hex')}`
}

async function must(response: Response): Promise<Response> {
  if (response.ok) return response
  throw new Error(`${response.url} answers ${response.status}: ${await response.text()}`)
}

/** Gives a registry a blob, unless it has it. */
async function blob(repository: string, digest: string, body: () => NonNullable<RequestInit['body']>, bytes: number): Promise<void> {
  if ((await fetch(`${repository}/blobs/${digest}`, { method: 'HEAD' })).ok) return
  const begun = await must(await fetch(`${repository}/blobs/uploads/`, { method: 'POST' }))
  const to = new URL(begun.headers.get('location') ?? '', repository)
  to.searchParams.set('digest', digest)
  const headers = { 'Content-Type': 'application/octet-stream', 'Content-Length': String(bytes) }
  await must(await fetch(to, { method: 'PUT', headers, body: body(), duplex: 'half' } as RequestInit))
}

const digests = new Map<string, Promise<string>>()

/** Pushes an image to a registry that speaks plain HTTP, under its own name. */
export async function push(image: Image): Promise<void> {
  const [, host = '', path = '', tag = ''] = /^([^/]+)\/(.+):([^:]+)$/.exec(image.name) ?? []
  const repository = `http://${host}/v2/${path}`
  const layers = await Promise.all(
    image.layers.map(async file => {
      digests.set(file, digests.get(file) ?? sha256(file))
      const digest = (await digests.get(file)) ?? ''
      const { size } = statSync(file)
      const body = () => (size < 1_000_000 ? readFileSync(file) : (Readable.toWeb(createReadStream(file)) as ReadableStream))
      await blob(repository, digest, body as () => NonNullable<RequestInit['body']>, size)
      return { mediaType: PLAIN, digest, size }
    }),
  )
  const config = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Env: Object.entries(image.env).map(([name, value]) => `${name}=${value}`), Entrypoint: image.entrypoint },
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
  })
  const digest = `sha256:${createHash('sha256').update(config).digest('hex')}`
  await blob(repository, digest, () => config, Buffer.byteLength(config))
  const type = 'application/vnd.oci.image.manifest.v1+json'
  const own = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: Buffer.byteLength(config) }
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType: type, config: own, layers })
  await must(await fetch(`${repository}/manifests/${tag}`, { method: 'PUT', headers: { 'Content-Type': type }, body: manifest }))
}

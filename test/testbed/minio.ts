import { randomBytes } from 'node:crypto'
import { launch, type Server } from './server.ts'
import { find } from './tools.ts'

/** A started S3 server (MinIO) with four drives in its folder. */
export type Minio = Server & {
  /** `http://127.0.0.1:<port>`; use it with path-style addresses. */
  readonly endpoint: string
  readonly region: 'us-east-1'
  readonly accessKey: string
  readonly secretKey: string
  /** Makes a bucket and returns its name. */
  bucket(name: string, options?: { readonly objectLock?: boolean }): Promise<string>
}

/** Starts MinIO on a port and folder of its own, with keys of its own. */
export async function minio(wanted: { readonly port?: number; readonly stays?: boolean } = {}): Promise<Minio> {
  const file = find('minio')
  if (file === undefined) throw new Error('minio is missing; to install it: npm run testbed -- install s3')
  const accessKey = 'testbed'
  const secretKey = randomBytes(16).toString('hex')
  const server = await launch({
    name: 's3',
    port: wanted.port,
    stays: wanted.stays,
    command: (port, folder) => ({
      file,
      argv: ['server', '--quiet', '--address', `127.0.0.1:${port}`, `${folder}/d{1...4}`],
      env: {
        // Certificates of the person at the keyboard would turn TLS on.
        HOME: folder,
        MINIO_ROOT_USER: accessKey,
        MINIO_ROOT_PASSWORD: secretKey,
        MINIO_BROWSER: 'off',
        MINIO_UPDATE: 'off',
        MINIO_CALLHOME_ENABLE: 'off',
        // Lets four drives share one disk.
        MINIO_CI_CD: '1',
      },
    }),
    ready: writable,
  })
  const endpoint = `http://127.0.0.1:${server.port}`
  return {
    ...server,
    endpoint,
    region: 'us-east-1',
    accessKey,
    secretKey,
    async bucket(name, options = {}) {
      const { CreateBucketCommand, S3Client } = await import('@aws-sdk/client-s3')
      const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey }
      const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
      try {
        await client.send(new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: options.objectLock ?? false }))
      } finally {
        client.destroy()
      }
      return name
    },
  }
}

/** MinIO's own health address answers 200 once enough drives can be written to. */
async function writable(port: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/minio/health/cluster`, { signal: AbortSignal.timeout(2_000) })
  if (!answer.ok) throw new Error(`health says ${answer.status}`)
}

import { randomBytes } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { launch, type Server } from './server.ts'
import { find } from './tools.ts'

/** A started Azure Blob server (Azurite). */
export type Azurite = Server & {
  /** `http://127.0.0.1:<port>/<account>`: what Azure calls the blob endpoint of the account. */
  readonly endpoint: string
  readonly account: string
  /** The account's key, in base64 as Azure gives it. */
  readonly key: string
  /** Makes a container and returns its name. */
  container(name: string): Promise<string>
}

/** Starts Azurite on a port and folder of its own, with an account and key of its own. */
export async function azurite(wanted: { readonly port?: number; readonly stays?: boolean } = {}): Promise<Azurite> {
  const tool = find('azurite-blob')
  if (tool === undefined) throw new Error('azurite-blob is missing; to install it: npm run testbed -- install azure')
  const account = 'testbed'
  const key = randomBytes(32).toString('base64')
  const server = await launch({
    name: 'azure',
    port: wanted.port,
    stays: wanted.stays,
    command: (port, folder) => ({
      file: process.execPath,
      // Its API version check refuses every client that is newer than it.
      argv: [
        ...[realpathSync(tool), '--silent', '--disableTelemetry', '--skipApiVersionCheck'],
        ...['--location', join(folder, 'data'), '--blobHost', '127.0.0.1', '--blobPort', String(port)],
      ],
      env: { AZURITE_ACCOUNTS: `${account}:${key}` },
    }),
    ready: async port => {
      // It answers requests without credentials, with a refusal.
      await fetch(`http://127.0.0.1:${port}/${account}?comp=list`, { signal: AbortSignal.timeout(2_000) })
    },
  })
  const endpoint = `http://127.0.0.1:${server.port}/${account}`
  return {
    ...server,
    endpoint,
    account,
    key,
    async container(name) {
      const { BlobServiceClient, StorageSharedKeyCredential } = await import('@azure/storage-blob')
      await new BlobServiceClient(endpoint, new StorageSharedKeyCredential(account, key)).getContainerClient(name).create()
      return name
    },
  }
}

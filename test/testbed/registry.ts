import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { launch, type Server } from './server.ts'
import { find } from './tools.ts'

/** A started registry of images, spoken to without TLS, which Docker allows on 127.0.0.1. */
export type Registry = Server & {
  /** `127.0.0.1:<port>`, the first part of an image's name. */
  readonly name: string
  readonly user: string
  readonly password: string
}

const USER = 'deploy'
const PASSWORD = 'correct horse battery'
/** The password above, by bcrypt with the lowest cost. */
const HASH = '$2b$05$O/DSjCWh/9htLsUPEyybNecQphVDCaHBKoveH8oNOi5EAG6wNNSM2'

/** Starts a registry; `asks` makes it ask for user and password. */
export async function registry({ asks = false }: { readonly asks?: boolean } = {}): Promise<Registry> {
  const file = find('docker-registry')
  if (file === undefined) throw new Error('docker-registry is missing; to install it: npm run testbed -- install registry')
  const server = await launch({
    name: 'registry',
    command(port, folder) {
      const config = join(folder, 'config.yml')
      const users = join(folder, 'users')
      writeFileSync(users, `${USER}:${HASH}\n`, { mode: 0o600 })
      const auth = asks ? { auth: { htpasswd: { realm: 'testbed', path: users } } } : {}
      // JSON is YAML.
      const settings = {
        version: 0.1,
        storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
        http: { addr: `127.0.0.1:${port}` },
        ...auth,
      }
      writeFileSync(config, JSON.stringify(settings))
      return { file, argv: ['serve', config] }
    },
    async ready(port) {
      const { status } = await fetch(`http://127.0.0.1:${port}/v2/`)
      if (status !== (asks ? 401 : 200)) throw new Error(`it answers ${status}`)
    },
  })
  return { ...server, name: `127.0.0.1:${server.port}`, user: USER, password: PASSWORD }
}

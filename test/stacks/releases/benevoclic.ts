import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from '../../runbooks/kit.ts'
import { type DockerHost, dockerHost } from '../../testbed/docker-host.ts'
import { type Minio, type Mongo, minio, mongodb, type Sshd, sshd } from '../../testbed/index.ts'
import { freePort } from '../../testbed/ports.ts'
import { type Registry, registry } from '../../testbed/registry.ts'
import { AUTH, addressed, newUser } from '../data.ts'
import { newSite, type PlayedSite } from '../site.ts'
import { pushApp } from './images.ts'

/** The stack of benevoclic on a host behind ssh, where an ordinary user deploys: its stack file, its assets, and servers for all that it needs. */
export type Benevoclic = {
  readonly site: PlayedSite
  readonly engine: DockerHost
  readonly server: Sshd
  readonly mongo: Mongo
  readonly port: number
  /** Text of the key of Firebase, with its line breaks. */
  readonly firebaseKey: string
  /** The folder of the stack on the host. */
  readonly directory: string
  end(): Promise<void>
}

const DATABASE = 'benevoclic'
const USER = { user: 'benevole', password: 'p %41"/@' }

/** Starts everything around the host, and puts versions of the API into the registry. */
export async function benevoclic(versions: readonly string[]): Promise<Benevoclic> {
  const [engine, images, store, mongo, port] = await Promise.all([
    dockerHost(),
    registry({ asks: true }),
    minio(),
    mongodb({ auth: AUTH }),
    freePort(),
  ])
  await newUser(mongo, DATABASE, USER)
  pushApp(engine, images, 'benevoclic/benevoclic-api', 'benevoclic-api', versions)
  const directory = mkdtempSync(join(tmpdir(), 'srv-benevoclic-'))
  // What membership of the group docker gives: the socket; and a folder of one's own.
  chmodSync(engine.folder, 0o711)
  chmodSync(join(engine.folder, 'docker.sock'), 0o666)
  chmodSync(directory, 0o777)
  const server = await sshd({ settings: { SetEnv: `DOCKER_HOST=${engine.address}` } })
  const firebaseKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const site = newSite({
    stack: 'benevoclic',
    environment: 'production',
    replace: {
      "image: 'benevoclic/": `image: '${images.name}/benevoclic/`,
      'registry: {': `registry: { server: '${images.name}',`,
      'compose/benevoclic': join(ROOT, 'compose/benevoclic'),
      '/srv/benevoclic': directory,
      'http://127.0.0.1:80': `http://127.0.0.1:${port}`,
      'environment: {': `environment: { HTTP_BIND: '127.0.0.1', HTTP_PORT: '${port}', NGINX_IMAGE: '${engine.base()}',`,
      // The recorder asks too seldom to judge how slow answers are: on a machine that does other things besides, that is chance.
      "bake: '30s'": "bake: '3s', probe: { path: '/health', perSecond: 3 }",
      's3({': `s3({ endpoint: '${store.endpoint}', forcePathStyle: true,`,
    },
    settings: await settings({ images, store, mongo, server, firebaseKey }),
  })
  return {
    site,
    engine,
    server,
    mongo,
    port,
    firebaseKey,
    directory,
    async end() {
      site.end()
      await server.stop()
      await Promise.all([engine.stop(), images.stop(), store.stop(), mongo.stop()])
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

async function settings(at: {
  readonly images: Registry
  readonly store: Minio
  readonly mongo: Mongo
  readonly server: Sshd
  readonly firebaseKey: string
}) {
  const { images, store, mongo, server, firebaseKey } = at
  return {
    VPS_HOST: `ssh://127.0.0.1:${server.port}`,
    VPS_USERNAME: server.user,
    VPS_KNOWN_HOSTS: `"${readFileSync(server.knownHosts, 'utf8')}"`,
    OVH_SSH_KEY: `"${server.key}"`,
    DOCKERHUB_USERNAME: images.user,
    DOCKERHUB_TOKEN: images.password,
    MONGODB_DB_NAME: DATABASE,
    FIREBASE_PROJECT_ID: 'benevoclic',
    FIREBASE_CLIENT_EMAIL: 'api@benevoclic.example',
    FIREBASE_PRIVATE_KEY: `"${firebaseKey}"`,
    FIREBASE_API_KEY: 'key of the web',
    MONGODB_URL: (example: string) => addressed(example, { port: mongo.port, ...USER }),
    AWS_BUCKET_NAME: await store.bucket('benevoclic'),
    AWS_REGION: store.region,
    AWS_ACCESS_KEY_ID: store.accessKey,
    AWS_SECRET_ACCESS_KEY: store.secretKey,
    // The monitoring is deployed for itself, and not here; the channel is one where nobody listens.
    DISCORD_WEBHOOK_URL: 'http://127.0.0.1:9/hook',
    GRAFANA_ADMIN_PASSWORD: 'of the first user',
  }
}

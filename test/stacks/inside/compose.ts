import type { Docker } from '../../testbed/index.ts'
import type { Inside } from './conformance.ts'
import { PASSWORDS, POSTGRES } from './data.ts'

/** `$` is Compose's own. */
const plain = (text: string) => text.replaceAll('$', '$$$$')

/** The services in a Compose project that publishes no port, and work in them through the engine. */
export function composeServices(engine: Docker): Pick<Inside, 'exec' | 'words' | 'kill'> {
  const own = { network_mode: 'none' }
  const redis = { ...own, image: engine.image('redis', ['redis-server', 'redis-cli']) }
  engine.up('shop', {
    postgres: {
      ...own,
      image: engine.postgresImage(),
      user: '65534:65534',
      command: ['sh', '-c', plain(POSTGRES), 'sh', plain(PASSWORDS.database)],
    },
    redis: { ...redis, command: ['redis-server', '--save', '', '--dir', '/tmp', '--requirepass', plain(PASSWORDS.cache)] },
    media: { ...own, image: engine.filesImage('gnu'), init: true, command: ['sleep', '36000'] },
  })
  const container = (service: string) => `shop-${service}-1`
  return {
    exec: (service, argv) => engine.docker('exec', container(service), ...argv),
    words: (service, argv) => ['docker', 'exec', container(service), ...argv],
    kill: service => void engine.docker('kill', container(service)),
  }
}

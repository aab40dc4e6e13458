import { describeWith } from '../testbed/index.ts'
import { conforms, type World } from './conformance.ts'
import { kubernetesWorld } from './kubernetes/world.ts'

const VERSIONS = {
  good: ['1.0.0', '1.1.0'],
  missing: '9.9.9',
  crashes: '1.2.0-crash',
  says: 'boom: cannot open the database',
  unready: '1.2.0-sick',
} as const

async function world(): Promise<World> {
  const made = await kubernetesWorld()
  await made.versions(...VERSIONS.good, VERSIONS.crashes, VERSIONS.unready)
  const nowhere = made.kubeconfig(config => {
    config.clusters[0]!.cluster.server = 'https://127.0.0.1:9'
  })
  const stranger = made.kubeconfig(config => {
    config.users[0]!.user = { token: 'no such token' }
  })
  let changes = 0
  return {
    platform: () => made.platform(),
    services: made.services,
    main: 'web',
    path: '/',
    events: '/events',
    versions: VERSIONS,
    once: { version: [process.execPath, '/app.mjs', 'version'], fails: [process.execPath, '/app.mjs', 'fails'] },
    async changeFile() {
      changes += 1
      made.overlay({ config: { GREETING: `hello ${changes}` } })
    },
    unreachable: () => made.platform({ cluster: 'https://127.0.0.1:9', kubeconfig: nowhere }),
    denied: () => made.platform({ kubeconfig: stranger }),
    close: () => made.close(),
  }
}

describeWith(['kubernetes', 'registry'], 'Kubernetes', () => {
  conforms('kubernetes', { split: false, never: false }, world)
})

import { defineStack, directory, files, http, sandbox, sqlite } from 'runbooks'

/** The front door of the shop. DEMO_PORT is for a machine on which this port is taken. */
const PORT = Number(process.env.DEMO_PORT || 8480)

/** A small shop on this machine, for learning and tests. All of it lives in RUNBOOKS_HOME. */
export default defineStack({
  name: 'demo',
  timezone: 'Europe/Paris',
  services: {
    shop: { image: 'shop', port: 3000, health: '/health', door: '/', traffic: 'split', twice: 'allowed' },
  },
  deploy: {
    smoke: [http('/health', { contains: '"ok":true', within: '2s' })],
    bake: '3s',
    budget: '10s',
    probe: { path: '/', perSecond: 60 },
  },
  data: {
    database: sqlite({ file: 'demo/shop.sqlite' }),
    media: files({ directory: 'demo/media' }),
  },
  environments: {
    local: {
      platform: sandbox({
        directory: 'demo/sandbox',
        port: PORT,
        services: {
          shop: {
            script: 'demo/app/shop.ts',
            versions: ['1.0.0', '1.1.0', '1.2.0-crash', '1.2.0-never-ready', '1.2.0-errors', '1.2.0-slow', '1.2.0-late'],
          },
        },
      }),
      stores: [directory({ path: 'demo/backups' })],
    },
  },
})

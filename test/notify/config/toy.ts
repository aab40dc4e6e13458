import { deadman, defineStack, directory, env, files, secret, webhook } from 'runbooks'

const stores = [directory({ path: env('TOY_STORE') })] as const
const all = ['start', 'done', 'undone', 'failed', 'human needed', 'stale', 'shrunk', 'recovered'] as const
const notify = [webhook({ url: secret('WATCH_HOOK'), on: all }), deadman({ url: secret('WATCH_PING'), runbook: 'toy' })]

/** The toy stack with somebody who watches it. */
export default defineStack({
  name: 'toy',
  timezone: 'UTC',
  data: { media: files({ directory: env('TOY_DATA') }) },
  backups: { objectives: { dataLoss: '6h' } },
  environments: {
    local: { stores, notify, metrics: 'metrics/toy.prom' },
    guarded: { protected: true, stores, notify },
  },
})

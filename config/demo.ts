import { defineStack, directory, files, sqlite } from 'runbooks'

/** A small shop on this machine, for learning and tests. All of it lives in RUNBOOKS_HOME. */
export default defineStack({
  name: 'demo',
  timezone: 'Europe/Paris',
  data: {
    database: sqlite({ file: 'demo/shop.sqlite' }),
    media: files({ directory: 'demo/media' }),
  },
  environments: {
    local: { stores: [directory({ path: 'demo/backups' })] },
  },
})

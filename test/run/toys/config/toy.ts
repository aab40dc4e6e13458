import { defineStack, directory, env, files } from 'runbooks'

/** A stack whose every folder is named by the test that uses it. */
export default defineStack({
  name: 'toy',
  timezone: 'UTC',
  data: { media: files({ directory: env('TOY_DATA') }) },
  environments: {
    local: { stores: [directory({ path: env('TOY_STORE') })] },
    guarded: { protected: true, stores: [directory({ path: env('TOY_STORE') })] },
  },
})

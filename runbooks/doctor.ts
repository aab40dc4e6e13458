import { flag } from '../lib/run/options.ts'
import { runbook } from '../lib/run/runbook.ts'

export default runbook(import.meta, {
  name: 'doctor',
  does: 'Says what this machine has and lacks for a stack, with the command that mends it.',
  lease: 'none',
  check: true,
  unfinished: 'ask',

  options: {
    notify: flag({ help: 'send a test message to every channel of the environment' }),
    notifyStale: flag({ help: 'for cron: tell the channels when the newest backup is too old, or could not be looked for' }),
  },

  told: options => options.notifyStale,
  // The next good backup is what ends the incident.
  endedBy: 'backup',

  uses: () => import('../lib/run/words.ts'),

  async inspect({ use, site, options, doing, tryChannels }) {
    return { ...(await use.lookAt(site, doing)), told: options.notify ? await tryChannels() : undefined }
  },

  ends: ({ use, facts, site }) => {
    const fresh = use.freshEnough(use.usable(facts.points), site)
    const checks = [
      use.runtimeRight(),
      ...facts.parts.flatMap(part => [...use.hasTools(part), use.answering(part), ...(part.state === 'answers' ? [use.notEmpty(part)] : [])]),
      ...facts.stores.flatMap(store => [
        ...use.writable(store),
        use.hasRoom(store, facts.parts, facts.points),
        use.clockRight(store),
        use.lockRight(store),
      ]),
      fresh,
      ...(facts.told ? use.channelRight(facts.told) : []),
    ]
    const bad = checks.filter(check => !check.holds)
    const blind = facts.parts.some(part => part.state === 'unreachable') || facts.stores.some(store => store.state === 'unreachable')
    const listed = facts.stores[0]?.state !== 'unreachable' && facts.stores[0]?.state !== 'denied'
    return {
      tells: fresh.holds ? [] : [listed ? ('stale' as const) : ('failed' as const)],
      exit: bad.length === 0 ? 0 : blind ? 8 : 7,
      says: bad.length === 0 ? `${checks.length} of ${checks.length} checks hold` : `${bad.length} of ${checks.length} checks do not hold`,
      ...(bad.length > 0 ? { why: bad.map(check => check.because).join('\n'), next: bad.flatMap(check => check.mend ?? []) } : {}),
      warnings: use.shrunk(facts.parts, facts.points),
      summary: checks.map(check => `${check.holds ? '✔' : '✖'} ${check.title}`),
      result: checks.map(({ title, holds, because, mend }) => ({ title, holds, because: holds ? null : because, mend: mend ?? null })),
    }
  },
})

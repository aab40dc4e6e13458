import { usable } from '../lib/backups/choose.ts'
import { clockRight, freshEnough, runtimeRight } from '../lib/backups/doctor.ts'
import { answering, hasRoom, hasTools, lookAt, notEmpty, shrunk, writable } from '../lib/backups/facts.ts'
import { runbook } from '../lib/run/runbook.ts'

export default runbook(import.meta, {
  name: 'doctor',
  does: 'Says what this machine has and lacks for a stack, with the command that mends it.',
  lease: 'none',
  check: true,
  unfinished: 'ask',
  options: {},

  inspect: ({ site, doing }) => lookAt(site, doing),

  ends: ({ facts, site }) => {
    const checks = [
      runtimeRight(),
      ...facts.parts.flatMap(part => [...hasTools(part), answering(part), notEmpty(part)]),
      ...facts.stores.flatMap(store => [...writable(store), hasRoom(store, facts.parts, facts.points), clockRight(store)]),
      freshEnough(usable(facts.points), site.dataLossMs),
    ]
    const bad = checks.filter(check => !check.holds)
    const blind = facts.parts.some(part => part.state === 'unreachable') || facts.stores.some(store => store.state === 'unreachable')
    return {
      exit: bad.length === 0 ? 0 : blind ? 8 : 7,
      says: bad.length === 0 ? `${checks.length} of ${checks.length} checks hold` : `${bad.length} of ${checks.length} checks do not hold`,
      ...(bad.length > 0 ? { why: bad.map(check => check.because).join('\n'), next: bad.flatMap(check => check.mend ?? []) } : {}),
      warnings: shrunk(facts.parts, facts.points),
      summary: checks.map(check => `${check.holds ? '✔' : '✖'} ${check.title}`),
      result: checks.map(({ title, holds, because, mend }) => ({ title, holds, because: holds ? null : because, mend: mend ?? null })),
    }
  },
})

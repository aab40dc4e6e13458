import { severityOf } from '../../lib/notify/events.ts'
import { EVENTS, type Event, type Message } from '../../lib/notify/notify.ts'
import type { Outcome } from '../../lib/plan/journal.ts'

const verified = '2025-12-09T02:31:22.000Z'
const restore = 'npx zx runbooks/restore.ts --stack=immo-express --environment=production'

const OUTCOMES: Readonly<Record<Event, Outcome | null>> = {
  start: null,
  done: { word: 'DONE', exit: 0, says: 'backup 20251209T023005Z-r7f31c2, 1,303 items in 4.1 GB, read back and equal', verified },
  recovered: { word: 'DONE', exit: 0, says: 'backup 20251209T023005Z-r7f31c2, 1,303 items in 4.1 GB, read back and equal', verified },
  shrunk: {
    word: 'DONE',
    exit: 0,
    says: 'backup 20251209T023005Z-r7f31c2, 512 items in 1.2 GB, read back and equal',
    warnings: [
      'database SHRANK by more than half since 20251208T203005Z-r118ab0: 1,303 items then, 512 now. Look before older backups are let go of.',
    ],
    verified,
  },
  undone: {
    word: 'CANCELLED',
    exit: 130,
    says: 'no new backup',
    why: 'cancelled by the operator (Ctrl-C)',
    stands: ['no new backup; 1 step was taken back and verified'],
    verified,
  },
  failed: {
    word: 'NOT DONE',
    exit: 4,
    says: 'no new backup; the newest is 20251208T203005Z-r118ab0',
    why: 'mongodump exited 1: error connecting to db server: <auth> failed & gave up',
    stands: ['no new backup; the newest is 20251208T203005Z-r118ab0; 2 steps were taken back and verified'],
    look: ['less /var/lib/runbooks/runs/20251209T023005Z-backup-immo-express-production-r7f31c2/journal.jsonl'],
    verified,
  },
  'human needed': {
    word: 'HUMAN NEEDED',
    exit: 5,
    says: 'a run stands half-way, and nothing new starts over it',
    why: 'no space left on device; then taking it back failed: swap.back/database: no space left on device',
    stands: ['Swap database: live 0, beside 1'],
    next: [`${restore} --revert`, `${restore} --resume`],
    look: ['df -h /var/lib/mongodb'],
    verified,
  },
  unhealthy: {
    word: 'UNHEALTHY',
    exit: 7,
    says: '12 of 14 healthy, 1 unhealthy, 1 could not be looked at',
    why: 'api.immo.example/health: answered 503, not 2xx: database is gone\nprometheus: could not look: no way to that host',
    look: ['curl -sSi https://api.immo.example/health'],
    verified,
  },
  stale: {
    word: 'UNHEALTHY',
    exit: 7,
    says: '1 of 12 checks do not hold',
    why: 'the newest sound backup is 9 h 12 min old; the stack allows 6 h 00 min',
    next: ['take one: npx zx runbooks/backup.ts'],
    verified,
  },
}

/** A message of each kind, as a run of ImmoExpress in production would send it. */
export function sample(event: Event | 'test'): Message {
  const outcome = event === 'test' ? null : OUTCOMES[event]
  const events = event === 'test' ? [] : [event]
  const runbook =
    event === 'unhealthy' ? 'health-check' : event === 'stale' || event === 'test' ? 'doctor' : event === 'human needed' ? 'restore' : 'backup'
  const run = outcome?.exit === 7 || event === 'test' ? null : `20251209T023005Z-${runbook}-r7f31c2`
  return {
    events,
    event,
    severity: event === 'test' ? 'info' : severityOf(event, true, outcome?.exit),
    stack: 'immo-express',
    environment: 'production',
    runbook,
    run,
    by: 'backup@ops-1',
    at: '2025-12-09T02:31:23.000Z',
    key: `immo-express/production/${runbook === 'doctor' ? 'backup' : runbook}`,
    line: outcome ? `${outcome.word} immo-express/production: ${outcome.says} (exit ${outcome.exit})` : '',
    outcome,
    report: outcome && run ? `/var/lib/runbooks/runs/${run.replace('-r7', '-immo-express-production-r7')}/report.html` : null,
    result: event === 'done' ? { backup: '20251209T023005Z-r7f31c2', storedBytes: 4_100_000_000 } : null,
    log: outcome ? `2025-12-09T02:30:05Z start    Copy database\n${outcome.why ? `Why     ${outcome.why}\n` : ''}` : '',
  }
}

/** Every kind. */
export const KINDS: readonly (Event | 'test')[] = [...EVENTS, 'test']

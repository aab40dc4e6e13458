import type { By, Entry, Fact, Outcome } from '../../lib/plan/journal.ts'
import type { Change, Group, Json, Node, Step } from '../../lib/plan/plan.ts'

const BY: By = { user: 'ops', host: 'laptop', pid: 4711, started: '88123', boot: '5c1f' }

export const step = (id: string, title: string, more: Partial<Step> = {}): Step => ({
  kind: 'step',
  id,
  title,
  change: { verb: id.split('/')[0] ?? '', of: id.split('/')[1] ?? '', args: null },
  budgetMs: 60_000,
  ...more,
})
export const together = (title: string, nodes: Node[]): Group => ({ kind: 'group', title, nodes, together: true })

type Told = Fact & { readonly after?: number | undefined }

/** Entries with their numbers and times: each fact is some seconds (`after`, else 1) after the one before it. */
export function journal(start: string, facts: readonly Told[]): Entry[] {
  let t = Date.parse(start)
  return facts.map(({ after = 1, ...fact }, i) => {
    t += i === 0 ? 0 : after * 1000
    return { ...fact, n: i + 1, t: new Date(t).toISOString() } as Entry
  })
}

export function planned(runbook: string, run: string, stack: string, environment: string, nodes: readonly Node[]): Told {
  const command = `npx zx runbooks/${runbook}.ts --stack=${stack} --environment=${environment}`
  return {
    at: 'planned',
    run,
    runbook,
    stack,
    environment,
    command,
    options: { stack, environment, yes: true },
    by: BY,
    target: { store: '/var/backups' },
    nodes,
    hash: '9c41d7',
    leases: ['data'],
  }
}

export function intent(
  of: string,
  title: string,
  more: { after?: number; prints?: string[]; undoes?: string; attempt?: number; role?: 'commit' | 'tidy'; undo?: Change } = {},
): Told {
  const { after = 0.1, prints = [], undoes, attempt = 1, role, undo = { none: 'it only reads' } } = more
  const change = { verb: of.split('/')[0] ?? '', of: of.split('/')[1] ?? '', args: null }
  const extra = { ...(undoes === undefined ? {} : { undoes }), ...(role === undefined ? {} : { role }) }
  return { at: 'intent', of, title, attempt, change, before: null, goal: null, undo, prints, ...extra, after }
}

export const verified = (of: string, after: number, gives: Json = null, how: 'did' | 'looked' | 'found' = 'did'): Told => ({
  at: 'verified',
  of,
  seen: gives,
  gives,
  how,
  after,
})
export const failed = (of: string, after: number, why: string, look?: string): Told => ({
  at: 'failed',
  of,
  why,
  seen: null,
  after,
  ...(look === undefined ? {} : { look }),
})
export const ended = (outcome: Outcome): Told => ({ at: 'ended', outcome, after: 0.2 })

const DUMP = 'mongodump --config=/dev/fd/3 --archive --db=shop'
const drop: Change = { verb: 'drop', of: 'point', args: null }

const backupNodes: Node[] = [
  together('Copy the parts', [step('copy/database', 'Copy database'), step('copy/media', 'Copy media')]),
  together('Read every copy back', [step('read/database', 'Read database back'), step('read/media', 'Read media back')]),
  step('write/manifest', 'Write the manifest', { role: 'commit' }),
  step('prune/points', 'Let go of old backups', { role: 'tidy' }),
]

/** A backup that went well, with a warning from its tidy step. */
export const goodBackup: Entry[] = journal('2025-12-09T02:00:00.000Z', [
  planned('backup', '20251209T020000Z-r7f3', 'shop', 'production', backupNodes),
  { at: 'leased', lease: 'data', token: 42 },
  intent('copy/database', 'Copy database', {
    prints: [DUMP, 'stdout → zstd -3 → s3://shop-backups/shop/production/20251209T020000Z/database.archive.zst'],
    undo: drop,
  }),
  intent('copy/media', 'Copy media', {
    prints: ['/srv/shop/media → tar → zstd -3 → s3://shop-backups/shop/production/20251209T020000Z/media.tar.zst'],
    undo: drop,
  }),
  { at: 'spawned', of: 'copy/database', host: 'laptop', pid: 4720, started: '88190', prints: DUMP },
  { at: 'exited', of: 'copy/database', ok: true, gives: { bytes: 4_102_330_112, sha256: '91c07b52' }, after: 34 },
  verified('copy/database', 0.4, { bytes: 4_102_330_112, sha256: '91c07b52' }),
  verified('copy/media', 12, { bytes: 812_004_551, files: 3402 }),
  intent('read/database', 'Read database back', { prints: ['s3://shop-backups/…/database.archive.zst → zstd -d → sha256'] }),
  intent('read/media', 'Read media back'),
  verified('read/media', 6, { says: '3,402 files equal' }),
  verified('read/database', 19, { says: '4.1 GB equal' }),
  intent('write/manifest', 'Write the manifest', { role: 'commit' }),
  verified('write/manifest', 0.3),
  intent('prune/points', 'Let go of old backups', { role: 'tidy' }),
  { at: 'warned', of: 'prune/points', why: 'the store refused: AccessDenied on DeleteObject', after: 2 },
  ended({
    word: 'DONE',
    exit: 0,
    says: '4.9 GB in 1 store, read back and equal',
    stands: ['recovery point 20251209T020000Z: VERIFIED, 4.9 GB'],
    next: ['npx zx runbooks/restore-drill.ts --stack=shop --environment=production --backup=latest'],
    warnings: ['Old backups were not pruned: the store refused: AccessDenied on DeleteObject'],
    verified: '2025-12-09T02:01:15.000Z',
  }),
])

/** A backup whose dump died, and whose half copy was taken away. */
export const failedBackup: Entry[] = journal('2025-12-09T02:00:00.000Z', [
  planned('backup', '20251209T020000Z-r7f3', 'shop', 'production', backupNodes),
  { at: 'leased', lease: 'data', token: 43 },
  intent('copy/database', 'Copy database', { prints: [DUMP], undo: drop }),
  intent('copy/media', 'Copy media', { undo: drop }),
  verified('copy/media', 9, { bytes: 812_004_551, files: 3402 }),
  { at: 'exited', of: 'copy/database', ok: false, gives: null, why: 'mongodump ended with exit code 1', after: 22 },
  failed(
    'copy/database',
    0.2,
    'mongodump ended with exit code 1: the server closed the connection after 2.2 GB',
    '2025-12-09T02:00:31.114+0000\twriting shop.checkins to archive on stdout\n2025-12-09T02:00:31.902+0000\tFailed: error reading collection: connection(db1:27017) socket was unexpectedly closed: EOF',
  ),
  { at: 'turned', why: 'Copy database failed', to: 'undo', after: 0 },
  intent('undo/copy/media', 'Take back: Copy media', {
    undoes: 'copy/media',
    prints: ['remove s3://shop-backups/shop/production/20251209T020000Z/media.tar.zst'],
  }),
  verified('undo/copy/media', 0.6, { says: 'gone' }),
  intent('undo/copy/database', 'Take back: Copy database', { undoes: 'copy/database' }),
  verified('undo/copy/database', 0.5, { says: 'no upload is left' }),
  ended({
    word: 'NOT DONE',
    exit: 4,
    says: 'no new backup; the newest is Mon 18:00, VERIFIED',
    why: 'mongodump ended with exit code 1: the server closed the connection after 2.2 GB. The server was restarted at 03:00:30, as its log says.',
    stands: ['nothing was left in the store; the newest backup is 20251208T170000Z, 9 h old, VERIFIED'],
    next: ['look at the server, then', 'npx zx runbooks/backup.ts --stack=shop --environment=production'],
    look: ['ssh db1 journalctl -u mongod --since=03:00'],
    verified: '2025-12-09T02:00:34.000Z',
  }),
])

const restoreNodes: Node[] = [
  step('verify/point', 'Verify the backup’s bytes'),
  step('save/present', 'Save the present'),
  step('load/database', 'Load beside'),
  step('compare/database', 'Compare with the manifest'),
  {
    kind: 'gate',
    id: 'swap',
    title: 'Swap, with the loss counted again',
    shows: [],
    answer: { typed: 'check-in/production' },
    unattended: 'undo',
    deadlineMs: 1_800_000,
  },
  step('stop/writes', 'Stop writes'),
  step('swap/database', 'Swap'),
  step('check/service', 'Start and check'),
]

/** A restore with its question in the middle. */
export const restoreWithGate: Entry[] = journal('2025-12-09T02:13:55.000Z', [
  planned('restore', '20251209T021355Z-k2p9', 'check-in', 'production', restoreNodes),
  { at: 'leased', lease: 'data', token: 44 },
  intent('verify/point', 'Verify the backup’s bytes'),
  verified('verify/point', 20, { bytes: 4_102_330_112 }, 'looked'),
  intent('save/present', 'Save the present'),
  verified('save/present', 182, { says: 'backup 20251209T021402Z, verified' }),
  intent('load/database', 'Load beside', {
    prints: ["mongorestore --config=/dev/fd/3 --archive --stopOnError --nsFrom='checkin.*' --nsTo='checkin.*__restore_k2p9'"],
  }),
  verified('load/database', 251, { says: '44 collections, 3,399 files' }),
  intent('compare/database', 'Compare with the manifest'),
  verified('compare/database', 4, { says: '44 of 44 equal' }, 'looked'),
  { at: 'asked', of: 'swap', shows: [{ documents: 1371, newest: '03:21:40' }], since: '2025-12-09T02:21:40.000Z', after: 1 },
  { at: 'answered', of: 'swap', answer: 'yes', after: 64 },
  intent('stop/writes', 'Stop writes', { prints: ['kubectl scale deployment/backend --replicas=0'] }),
  verified('stop/writes', 9, { says: 'backend 3 → 0' }),
  intent('swap/database', 'Swap'),
  verified('swap/database', 3, { says: '44 collections, media' }),
  intent('check/service', 'Start and check'),
  verified('check/service', 9, { says: '/api/v1/health 200; newest checkin Mon 23:59:47' }),
  ended({
    word: 'RESTORED',
    exit: 0,
    says: 'the data of Tue 9 Dec 00:00',
    stands: ['check-in serves the data of Tue 9 Dec 00:00 Europe/Paris; writes were stopped for 21 s'],
    next: [
      'Take it back (until Tue 16 Dec; writes made since then would be lost):',
      'npx zx runbooks/restore.ts --stack=check-in --environment=production --undo=20251209T021355Z-restore',
    ],
    verified: '2025-12-09T02:23:06.000Z',
  }),
])

/** A restore killed in its swap, resumed by another person, and left half-way because its undo failed. */
export const halfDone: Entry[] = journal('2025-12-09T02:30:00.000Z', [
  planned('restore', '20251209T023000Z-q8d1', 'check-in', 'production', restoreNodes.slice(4)),
  { at: 'leased', lease: 'data', token: 45 },
  { at: 'asked', of: 'swap', shows: [{ documents: 1371 }], since: '2025-12-09T02:30:02.000Z' },
  { at: 'answered', of: 'swap', answer: 'yes', after: 31 },
  intent('stop/writes', 'Stop writes', { prints: ['kubectl scale deployment/backend --replicas=0'] }),
  verified('stop/writes', 8, { says: 'backend 3 → 0' }),
  intent('swap/database', 'Swap', {
    prints: ['rename checkin.users → checkin.users__before_q8d1', 'rename checkin.users__restore_q8d1 → checkin.users'],
  }),
  { at: 'settling', by: { ...BY, user: 'mia', host: 'desk' }, how: 'resume', after: 120 },
  { at: 'leased', lease: 'data', token: 46 },
  intent('swap/database', 'Swap', { attempt: 2 }),
  failed(
    'swap/database',
    5,
    'rename checkin.users: not authorized on checkin',
    'MongoServerError: not authorized on checkin to execute command { renameCollection: "checkin.users" }',
  ),
  { at: 'turned', why: 'Swap failed', to: 'undo', after: 0 },
  intent('undo/swap/database', 'Take back: Swap', { undoes: 'swap/database' }),
  failed('undo/swap/database', 4, '12 of 44 collections are swapped, and may not be renamed: not authorized on checkin'),
  ended({
    word: 'HUMAN NEEDED',
    exit: 5,
    says: 'writes are stopped, 12 of 44 collections are swapped',
    why: 'The user backup@admin lost its right to rename collections while the swap ran.',
    stands: ['checkin: 12 collections of the backup, 32 of the present', 'backend: 0 of 3, so that nothing is written'],
    next: [
      'give the right back, then',
      'npx zx runbooks/restore.ts --stack=check-in --environment=production --resume',
      'mended by hand? Then',
      'npx zx runbooks/restore.ts --stack=check-in --environment=production --close=20251209T023000Z-q8d1',
    ],
    look: ['mongosh --eval \'db.getSiblingDB("checkin").getCollectionNames()\''],
    verified: '2025-12-09T02:32:51.000Z',
  }),
])

export const samples = { goodBackup, failedBackup, restoreWithGate, halfDone }

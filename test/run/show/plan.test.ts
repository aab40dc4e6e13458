import { expect, test } from 'vitest'
import { type PlanLine, planLines, printPlan } from '../../../lib/run/show/plan.ts'
import { expectGolden, widest } from '../golden.ts'

const restore: PlanLine[] = [
  { title: 'Verify the backup’s bytes', undo: null },
  { title: 'Save the present', undo: { none: 'it stays' }, note: 'a new backup' },
  {
    title: 'Load beside',
    undo: 'drop it',
    note: 'checkin.*__restore_r7f3',
    prints: ["mongorestore --config=/dev/fd/3 --archive --stopOnError --nsFrom='checkin.*' --nsTo='checkin.*__restore_r7f3'"],
  },
  { title: 'Compare with the manifest', undo: null },
  { gate: 'with the loaded figures' },
  { title: 'Stop writes', undo: '0 → 3', note: 'backend 3 → 0, about 20 s', prints: ['kubectl scale deployment/backend --replicas=0'] },
  {
    title: 'Swap',
    undo: 'swap back',
    note: '44 collections, media',
    prints: ['rename checkin.users → checkin.users__before_r7f3', 'rename checkin.users__restore_r7f3 → checkin.users'],
  },
  { title: 'Start and check', undo: null },
]

const backup: PlanLine[] = [
  {
    group: 'Copy the parts',
    together: true,
    lines: [
      { title: 'Copy database', undo: 'remove the copy', note: 'about 4.1 GB' },
      { title: 'Copy media', undo: 'remove the copy and whatever the upload left of itself in the store, which needs the right to list it' },
    ],
  },
  { group: 'Move the traffic', watch: 'front door', lines: [{ title: 'Send everything to 1.4.2', undo: 'send everything to 1.4.1' }] },
  { title: 'Write the manifest', undo: { none: 'from here on it is a backup' } },
  { title: 'Let go of old backups that the policy does not keep any longer', undo: { none: 'cannot be taken back' }, note: '3 points' },
]

test('the plan of a restore is as reviewed', () => expectGolden('plan-restore', printPlan(restore)))
test('the dry run of a restore is as reviewed', () => expectGolden('plan-restore-dry-run', printPlan(restore, { dry: true })))
test('a plan with groups is as reviewed', () => expectGolden('plan-groups', printPlan(backup)))

test.each([40, 60, 80, 100])('a plan fits %i columns and loses no word', width => {
  for (const plan of [restore, backup]) {
    const text = planLines(plan, { width }).join('\n')
    expect(widest(text)).toBeLessThanOrEqual(width)
    for (const word of ['undo:', 'no undo:']) expect(text).toContain(word)
  }
  expect(planLines(backup, { width }).join(' ').replace(/\s+/g, ' ')).toContain('which needs the right to list it')
})

test('numbers count through groups and past questions', () => {
  const numbers = planLines([...backup, ...restore], { width: 80 }).flatMap(line => /^ ?(\d+) /.exec(line)?.[1] ?? [])
  expect(numbers).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12'])
})

test('a command of a dry run is never broken, so that it can be pasted', () => {
  expect(planLines(restore, { width: 40, dry: true }).join('\n')).toContain(
    "mongorestore --config=/dev/fd/3 --archive --stopOnError --nsFrom='checkin.*' --nsTo='checkin.*__restore_r7f3'",
  )
})

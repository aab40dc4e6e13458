import type { RestoreFacts } from '../lib/backups/restore-facts.ts'
import { identity, parts, store } from '../lib/run/data-options.ts'
import { text, typed } from '../lib/run/options.ts'
import { runbook } from '../lib/run/runbook.ts'

const INSTEAD = ['date', 'at', 'undo'] as const

export default runbook(import.meta, {
  name: 'restore',
  does: 'Brings a backup back: loads it beside the live data, compares, shows what would be lost, asks, and swaps. It can be taken back.',
  lease: 'data',
  unfinished: 'ask',

  options: {
    backup: text({
      ask: 'Which backup?',
      help: 'id or latest',
      shows: 'id|latest',
      unless: INSTEAD,
      needed: true,
      choices: at => import('../lib/run/words.ts').then(words => words.pointChoices(at)),
    }),
    date: text({ help: 'the newest begun that day in the time zone of the stack', shows: '2025-12-07' }),
    at: text({ help: 'the newest begun until that moment', shows: 'ISO 8601' }),
    part: parts('only these parts of the backup'),
    identity: identity(),
    store: store(),
    skipSafetyBackup: typed('SKIP', { help: 'go on although the present cannot be saved first' }),
    writersStopped: typed('STOPPED', { help: 'you have stopped what writes, and it stays so' }),
    undo: text({ help: 'take a finished restore back', shows: 'run' }),
  },

  uses: () => import('../lib/run/words.ts'),

  async inspect({ use, site, options, doing }): Promise<RestoreFacts> {
    if (options.undo !== undefined)
      return { kind: 'undo', ...(await use.undoable(site, options.undo, doing)), writing: await use.writes(site, doing) }
    const look = await use.lookAt(site, doing, options.part)
    const point = use.choose(look.points, options, site.timezone)
    return {
      kind: 'restore',
      ...look,
      point,
      names: use.partsOf(point, options.part),
      old: await use.oldRemains(site, doing),
      writing: await use.writes(site, doing),
    }
  },

  require: ({ use, site, facts, options }) =>
    facts.kind === 'undo'
      ? [use.writersOut(site, Object.keys(facts.record.parts), options.writersStopped)]
      : [
          ...facts.parts.flatMap(part => use.hasTools(part)),
          ...(options.skipSafetyBackup
            ? []
            : facts.stores.slice(0, 1).flatMap(store => [...use.writable(store), use.hasRoom(store, facts.parts, facts.points)])),
          ...facts.parts.map(part => use.presentKnown(part, options.skipSafetyBackup)),
          use.writersOut(site, facts.names, options.writersStopped),
          use.decryptable(site, facts.point),
        ],

  shows: ({ use, site, facts }) =>
    facts.kind === 'undo'
      ? [`Take back ${facts.record.run}: what it set aside becomes live again; what it restored stays beside for a week.`, '']
      : [
          `Restore ${use.pointPhrase(facts.point, site.timezone)}`,
          '',
          ...use.lossTable(use.lossRows(facts, facts.point, facts.names)),
          use.lossSentence(
            use.spent(Date.now() - Date.parse(facts.point.manifest?.begun ?? '')),
            use.lossRows(facts, facts.point, facts.names).reduce((sum, row) => sum + row.lost, 0),
            facts.parts.every(part => part.state === 'answers' || part.state === 'missing'),
          ),
          ...facts.parts.flatMap(part => (part.newest ? [`Newest in ${part.name} now: ${use.when(part.newest, site.timezone)}`] : [])),
          ...facts.parts
            .filter(part => part.state !== 'answers')
            .map(part => `! The present of ${part.name} cannot be read (${part.because ?? part.state}): it cannot be saved first.`),
          '',
        ],

  plan: ({ use, site, facts, options, run }) =>
    facts.kind === 'undo'
      ? use.undoPlan(site, facts.record, run.short, facts.writing)
      : use.restorePlan({
          site,
          facts,
          point: facts.point,
          parts: facts.names,
          run,
          saveFirst: !options.skipSafetyBackup,
          writing: facts.writing,
          old: facts.old,
        }),

  settled: ({ facts }) => (facts.kind === 'undo' ? { undo: facts.record.run } : { backup: facts.point.id, date: null, at: null }),

  gate: (shows, use) => [...(use.gateRows(shows).length > 0 ? use.lossTable(use.gateRows(shows)) : []), ...use.gateLines(shows)],

  // The list goes on calling it sound until a verification has written the damage down.
  damaged: ({ site, facts }) =>
    facts.kind === 'undo'
      ? []
      : [`npx zx runbooks/backup-verify.ts --stack=${site.stack} --environment=${site.environment} --backup=${facts.point.id}`],

  unchanged: ({ facts }) => (facts.kind === 'undo' ? 'the restore still stands' : 'live data is as it was'),

  ends: ({ use, site, facts, run }) => {
    const again = `npx zx runbooks/restore.ts --stack=${site.stack} --environment=${site.environment}`
    if (facts.kind === 'undo') {
      const stay = Object.entries(facts.record.parts).flatMap(([part, { hadLive }]) => (hadLive ? [] : [part]))
      const but = stay.length > 0 ? `, but ${stay.join(' and ')} stays: before it there was none` : ''
      return { word: 'TAKEN BACK', says: `${facts.record.run} is undone; what it restored stands beside${but}`, result: { undid: facts.record.run } }
    }
    const hadLive = facts.parts.some(part => facts.names.includes(part.name) && part.state !== 'missing')
    return {
      word: 'RESTORED',
      says: `${facts.names.join(' and ')} as of ${use.when(facts.point.manifest?.begun ?? '', site.timezone)} (${facts.point.id})`,
      result: { backup: facts.point.id, parts: facts.names, undo: hadLive ? run.id : null },
      next: hadLive ? [`${again} --undo=${run.id}   # takes it back, for a week`] : [],
    }
  },
})

import type { Verb } from '../../plan/plan.ts'
import { putText } from '../../stores/store.ts'
import { seal } from '../manifest.ts'
import type { RecordArgs, RestoreRecord } from '../sentences.ts'
import { type DataSite, storeOf } from '../site.ts'

const nameOf = (run: string) => `restored-${run}.json`

/** Write down what is about to be swapped. */
export const recorded: Verb<RecordArgs, { written: boolean }, DataSite> = {
  effect: 'write',
  half: 'again',
  undone: 'remove it',
  async look({ store, folder, record }, site) {
    const { run } = record as unknown as RestoreRecord
    return { state: { written: (await storeOf(site, store).head(`${folder}/${nameOf(run)}`)) !== null }, is: 'settled' }
  },
  goal: () => ({ written: true }),
  does: ({ store, folder, record }, site) => [
    {
      kind: 'transfer',
      prints: `restore record → ${storeOf(site, store).where}/${folder}/`,
      async run(doing) {
        const { run } = record as unknown as RestoreRecord
        await putText(storeOf(site, store), `${folder}/${nameOf(run)}`, seal(record as object), doing)
        return undefined
      },
    },
  ],
  undo: args => ({ verb: 'record.remove', of: (args.record as unknown as RestoreRecord).run, args }),
}

/** Remove the record of a restore that was taken back. */
export const unrecorded: Verb<RecordArgs, { written: boolean }, DataSite> = {
  effect: 'write',
  half: 'again',
  look: recorded.look,
  goal: () => ({ written: false }),
  does: ({ store, folder, record }, site) => {
    const path = `${folder}/${nameOf((record as unknown as RestoreRecord).run)}`
    return [
      {
        kind: 'call',
        prints: `remove ${storeOf(site, store).where}/${path}`,
        async run() {
          await storeOf(site, store).remove(path)
          return undefined
        },
      },
    ]
  },
  undo: () => ({ none: 'it says nothing any more' }),
}

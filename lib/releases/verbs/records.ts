import type { Json, Verb } from '../../plan/plan.ts'
import type { Bundle } from '../../platforms/platform.ts'
import { addRecord, type DoorFigures, keptOf, type ReleaseRecord, releasesOf } from '../records.ts'
import type { RecordArgs, TidyArgs } from '../sentences.ts'
import { platformOf, type ReleaseSite } from '../site.ts'

/** Record a release as verified, where everybody who deploys can read it. */
export const recorded: Verb<RecordArgs, Json, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  async look({ record }, site) {
    const { run } = record as unknown as ReleaseRecord
    return { state: { recorded: (await releasesOf(platformOf(site))).some(known => known.run === run) }, is: 'settled' }
  },
  goal: () => ({ recorded: true }),
  does: ({ record, about }, site) => [
    {
      kind: 'call',
      prints: `record the release at ${platformOf(site).cell('releases').where}`,
      async run() {
        const now = new Date()
        const tookMs = now.getTime() - Date.parse(about.began)
        const known = record as unknown as ReleaseRecord
        await addRecord(platformOf(site), { ...known, door: figuresIn(known.door), at: now.toISOString(), tookMs })
        return { tookMs }
      },
    },
  ],
  undo: () => ({ none: 'a verified release stays on record' }),
}

/** The figures of the flight recorder without its chart; null where nothing was seen. */
function figuresIn(door: DoorFigures | null): DoorFigures | null {
  return door && { requests: door.requests, failed: door.failed, longestGapMs: door.longestGapMs }
}

async function kept({ keep, serving }: TidyArgs, site: ReleaseSite): Promise<readonly Bundle[]> {
  return keptOf(await releasesOf(platformOf(site)), serving, keep).map(({ bundle }) => bundle)
}

/** Let go of images and files of releases that nobody goes back to; only verified releases count as ones to go back to. */
export const tidied: Verb<TidyArgs, Json, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  look: async (args, site, doing) => ({ state: { surplus: await platformOf(site).surplus(await kept(args, site), doing) }, is: 'settled' }),
  goal: () => ({ surplus: [] }),
  does: (args, site) => [
    {
      kind: 'call',
      prints: `remove images and files of releases but the last ${args.keep} verified ones`,
      async run(doing) {
        for (const action of platformOf(site).tidy(await kept(args, site))) await action.run(doing)
        return undefined
      },
    },
  ],
  undo: () => ({ none: 'nobody goes back to them' }),
}

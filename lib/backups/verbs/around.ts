import { count, spent } from '../../plan/durations.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Json, Verb } from '../../plan/plan.ts'
import type { PartFacts } from '../../sources/source.ts'
import { putText } from '../../stores/store.ts'
import { lossOf } from '../loss.ts'
import type { Manifest } from '../manifest.ts'
import { type Proof, proofName, writeProof } from '../proofs.ts'
import type { LeftoverArgs, LossArgs, StampArgs, WritersArgs } from '../sentences.ts'
import { type DataSite, partOf, storeOf } from '../site.ts'

/** Stop or start what writes the stack's data. */
export const writers: Verb<WritersArgs, { are: string }, DataSite> = {
  effect: 'write',
  half: 'again',
  undone: 'as they were',
  async look(_, site, doing) {
    if (!site.writers) throw new Trouble(5, 'The stack file no longer says how writers are stopped')
    return { state: { are: (await site.writers.running(doing)) ? 'running' : 'stopped' }, is: 'settled' }
  },
  goal: ({ to }) => ({ are: to }),
  does: ({ to }, site) => (to === 'stopped' ? site.writers?.stop() : site.writers?.start()) ?? [],
  undo: ({ run }, before) => ({ verb: 'writers', of: `undo ${before.are}`, args: { to: before.are, run } }),
}

/** A part answers after what was done to it; says its newest record. */
export const answers: Verb<{ part: string }, Json, DataSite> = {
  effect: 'read',
  half: 'again',
  async look({ part }, site, doing) {
    const facts = await partOf(site, part).facts(doing)
    const total = Object.values(facts.counts).reduce((sum, n) => sum + n, 0)
    const state = {
      state: facts.state,
      newest: facts.newest ?? null,
      says: `${count(total)} items${facts.newest ? `, newest ${facts.newest.slice(0, 19)}Z` : ''}`,
    }
    return facts.state === 'answers' ? { state, is: 'settled' } : { state, is: 'doomed', because: facts.because ?? `${part} is ${facts.state}` }
  },
  goal: () => ({ state: 'answers' }),
  undo: () => ({ none: 'it only looks' }),
}

/** What a restore would lose, counted now. */
export const loss: Verb<LossArgs, Json, DataSite> = {
  effect: 'read',
  half: 'again',
  async look({ part, items, begun }, site, doing) {
    const facts: PartFacts = await partOf(site, part).facts(doing)
    const rows = lossOf(facts, items as Manifest['parts'][string]['content']['items'])
    const lost = rows.reduce((sum, row) => sum + Math.max(0, row.lost), 0)
    return {
      state: {
        part,
        rows,
        lost,
        span: spent(Date.now() - Date.parse(begun)),
        readable: facts.state === 'answers' || facts.state === 'missing',
      } as unknown as Json,
      is: 'settled',
    }
  },
  goal: () => ({}),
  undo: () => ({ none: 'it only reads' }),
}

/** Results of the examined, loaded and compared steps, a list a part, as a proof needs them. */
type Finding = { good?: boolean; finding?: string | null; differences?: readonly string[]; tookMs?: number; frames?: number; of?: number }

/** Stamp a proof beside the manifest, written once. */
export const stamped: Verb<StampArgs, { files: readonly string[] }, DataSite> = {
  effect: 'write',
  half: 'again',
  async look({ store, folder, run }, site) {
    const mark = `-${run.slice(-6)}.json`
    const found = (await storeOf(site, store).list(folder)).map(object => object.path.slice(folder.length + 1))
    return { state: { files: found.filter(file => file.startsWith('proof-') && file.endsWith(mark)) }, is: 'settled' }
  },
  goal: () => ({ files: { measured: 'files' } }),
  does: ({ store, folder, kind, run, results, sampling }, site) => [
    {
      kind: 'transfer',
      prints: `proof → ${storeOf(site, store).where}/${folder}/`,
      async run(doing) {
        const parts = results as unknown as Finding[][]
        const findings = parts.flat().flatMap(result => [...(result.differences ?? []), ...(result.finding ? [result.finding] : [])])
        // Parts go at the same time, the steps of a part in turn: the slowest part is the time to recover.
        const tookMs = Math.max(0, ...parts.map(steps => steps.reduce((sum, step) => sum + (step.tookMs ?? 0), 0)))
        const [frames, of] = (['frames', 'of'] as const).map(key => parts.flat().reduce((sum, result) => sum + (result[key] ?? 0), 0)) as [
          number,
          number,
        ]
        const sample = sampling ? { sample: { percent: sampling.percent, seed: sampling.seed, frames, of } } : {}
        const proof: Proof = { kind, good: findings.length === 0, at: new Date().toISOString(), run, by: site.by, tookMs, findings, ...sample }
        const name = proofName(proof)
        await putText(storeOf(site, store), `${folder}/${name}`, writeProof(proof), doing)
        return { files: [name], good: proof.good, tookMs, findings, ...sample }
      },
    },
  ],
  undo: () => ({ none: 'what was found stays on record' }),
}

/** Remove what dead uploads left in the store. */
export const leftoversCleared: Verb<LeftoverArgs, { left: number }, DataSite> = {
  effect: 'write',
  half: 'again',
  look: async ({ store, folder, olderThanMs }, site) => ({
    state: { left: (await storeOf(site, store).leftovers(folder, olderThanMs)).length },
    is: 'settled',
  }),
  goal: () => ({ left: 0 }),
  does: ({ store, folder, olderThanMs }, site) => [
    {
      kind: 'call',
      prints: `remove unfinished uploads below ${storeOf(site, store).where}/${folder}`,
      async run() {
        const found = await storeOf(site, store).leftovers(folder, olderThanMs)
        for (const leftover of found) await storeOf(site, store).clear(leftover)
        return { items: found.length }
      },
    },
  ],
  undo: () => ({ none: 'unfinished uploads are of no use' }),
}

import type { Action, Goal, Json, Verb } from '../../plan/plan.ts'
import { plain } from '../../platforms/platform.ts'
import type { SlotArgs, TrafficArgs } from '../sentences.ts'
import { type ReleaseSite, splitOf } from '../site.ts'
import { trafficMoved } from './front-door.ts'

/** How far counted answers may be from a weight, in points: the draw of 200 answers at 50 % is within it 99.99 % of the time. */
const WITHIN = 15

type S = { readonly share: Readonly<Record<string, number>>; readonly generation: string | null }

/** All and nothing must be exact; between them answers are drawn. */
const near = (percent: number): Goal => (percent === 0 || percent === 100 ? percent : { near: percent, within: WITHIN })

/** The flight recorder judges by what is asked from then on. */
const telling = (action: Action): Action => ({
  ...action,
  async run(doing) {
    const gave = await action.run(doing)
    trafficMoved(doing.run)
    return gave
  },
})

/** Send a share of the traffic to a slot; the evidence is counted answers of the front door, and the generation that gives them. */
export const traffic: Verb<TrafficArgs, S, ReleaseSite> = {
  effect: 'destroy',
  half: 'again',
  undone: 'send it back',
  async look(_, site, doing) {
    const { share, generation } = await splitOf(site).served(doing)
    // What is drawn is moving from look to look: between two plans only whole shares may be compared.
    const rounded = Object.fromEntries(Object.entries(share).map(([slot, percent]) => [slot, Math.round(percent)]))
    return { state: plain({ share: rounded, generation }) as S, is: 'settled' }
  },
  goal: ({ to, percent, generation }) => ({ share: { [to]: near(percent) }, generation }),
  does: ({ to, percent, generation }, site) => splitOf(site).move(to, percent, generation).map(telling),
  undo({ to, generation }, before) {
    const [most = to, percent = 0] = Object.entries(before.share).sort(([, a], [, b]) => b - a)[0] ?? []
    // Where nobody was served there is no share to go back to: the new one gets nothing, and what was down is asked again.
    if (percent === 0) return { verb: 'traffic', of: 'front door: back', args: { to, percent, generation: `${generation}-undo` } }
    return { verb: 'traffic', of: 'front door: back', args: { to: most, percent, generation: `${generation}-undo` } }
  },
}

/** Let a slot finish the requests that it has. */
export const drained: Verb<SlotArgs, Json, ReleaseSite> = {
  effect: 'read',
  half: 'again',
  async look({ slot }, site, doing) {
    const seen = await splitOf(site).drained(slot, doing)
    const because = seen.because ?? `${seen.state.open} requests are still open`
    return { ...seen, state: plain(seen.state), ...(seen.state.open > 0 ? { because } : {}) }
  },
  goal: () => ({ open: 0 }),
  undo: () => ({ none: 'it only looks' }),
}

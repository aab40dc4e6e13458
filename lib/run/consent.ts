import { Trouble } from '../plan/outcome.ts'
import type { Gate } from '../plan/plan.ts'
import type { Answer } from './context.ts'
import type { dangers } from './prepare.ts'

/** What the operator has agreed to by flags, and whether somebody is there to be asked. */
export type Consents = {
  readonly yes: boolean
  readonly confirm: string | undefined
  readonly subject: string
  readonly protected: boolean
  readonly canAsk: boolean
}

/** Whether flags alone agree to what destroys: the exact target, or --yes where the environment is not protected. */
export function agreesToDestroy(consents: Consents): boolean {
  return consents.confirm === consents.subject || (consents.yes && !consents.protected)
}

/** Off a terminal silence is never yes: Trouble(2) names the flag that is missing, before anything is touched. */
export function mustConsent(consents: Consents, danger: ReturnType<typeof dangers>): void {
  if (consents.confirm !== undefined && consents.confirm !== consents.subject)
    throw new Trouble(2, `--confirm=${consents.confirm} names something else; this is ${consents.subject}`)
  if (consents.canAsk) return
  if ((danger.destroys || danger.gates) && !agreesToDestroy(consents)) {
    throw new Trouble(2, `Nobody can be asked here, and this changes what stands: it needs --confirm=${consents.subject}`)
  }
  if (!consents.yes && !agreesToDestroy(consents)) throw new Trouble(2, 'Nobody can be asked here: it needs --yes')
}

/** Asks before the plan begins; false = declined. */
export async function confirmPlan(
  consents: Consents,
  danger: ReturnType<typeof dangers>,
  steps: number,
  changes = 'This changes live data.',
): Promise<boolean> {
  const { confirm, typed } = await import('./ask.ts')
  if (danger.destroys && !danger.gated) {
    if (agreesToDestroy(consents)) return true
    if (consents.protected) return (await typed(`Type ${consents.subject} to go on; Enter stops:`, consents.subject)) === true
    return (await confirm(`Run ${steps} steps? ${changes}`, { additive: false })) === true
  }
  if (consents.yes || agreesToDestroy(consents)) return true
  const what = danger.gated ? 'Run the steps before the question? Live data is not touched.' : `Run ${steps} steps?`
  return (await confirm(what, { additive: true })) === true
}

/** Whether flags alone answer a gate with yes. */
export function agreesTo(gate: Gate, consents: Consents): boolean {
  return gate.answer === 'yes' ? consents.yes || agreesToDestroy(consents) : agreesToDestroy(consents)
}

/** Answers a gate by flags or by asking. */
export async function answerGate(gate: Gate, consents: Consents, signal: AbortSignal): Promise<Answer> {
  if (agreesTo(gate, consents)) return 'yes'
  if (!consents.canAsk) return 'unattended'
  const { confirm, typed } = await import('./ask.ts')
  const said =
    gate.answer === 'yes'
      ? await confirm(gate.title, { additive: false, signal })
      : await typed(`Type ${gate.answer.typed} to go on; Enter stops and cleans up:`, gate.answer.typed, { signal })
  return said === true ? 'yes' : 'no'
}

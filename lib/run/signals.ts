/** Why a run is being cancelled. */
export class Cancelled extends Error {
  readonly by: 'SIGINT' | 'SIGTERM'
  constructor(by: 'SIGINT' | 'SIGTERM') {
    super(by === 'SIGINT' ? 'cancelled by the operator (Ctrl-C)' : 'ended by SIGTERM')
    this.name = 'Cancelled'
    this.by = by
  }
}

/** Turns signals into an abort; a second one calls `again`, which does not return to the run. A closed terminal counts as SIGTERM. */
export function onSignals(again: () => void): AbortController {
  const controller = new AbortController()
  const told = (by: 'SIGINT' | 'SIGTERM') => () => {
    if (controller.signal.aborted) again()
    else controller.abort(new Cancelled(by))
  }
  process.on('SIGINT', told('SIGINT'))
  process.on('SIGTERM', told('SIGTERM'))
  // A closed terminal hangs up more than once, and nobody sits there to ask twice.
  process.on('SIGHUP', () => {
    if (!controller.signal.aborted) controller.abort(new Cancelled('SIGTERM'))
  })
  // A reader that went away (a closed pipe, a closed terminal) must not end the run half-way.
  process.stdout.on('error', () => undefined)
  process.stderr.on('error', () => undefined)
  return controller
}

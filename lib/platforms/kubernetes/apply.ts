import { CommandFailed } from '../../exec/command.ts'
import { run } from '../../exec/process.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { redact } from '../../plan/secrets.ts'
import type { Manifest } from './objects.ts'
import { MANAGER, type Site } from './site.ts'

/** Arguments of every apply. */
export const APPLY = ['apply', '--server-side', `--field-manager=${MANAGER}`, '-f', '-'] as const

/** Longest time of one apply, in milliseconds. */
const APPLY_MS = 120_000

/**
 * Applies objects on the server's side, as one list; nothing is ever taken from another manager by force. Trouble(3) for a conflict, which names
 * who changed what, and for what the server does not take; CommandFailed when the apply itself failed.
 */
export async function applied(site: Site, objects: readonly Manifest[], doing: Doing, how: 'for good' | 'dry run'): Promise<void> {
  if (objects.length === 0) return
  const command = site.kube.command([...APPLY, ...(how === 'dry run' ? ['--dry-run=server'] : [])])
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
  const { code, stderr } = await run(command, doing, { input, budgetMs: APPLY_MS })
  if (code === 0) return
  const words = redact(spoken(stderr))
  if (/conflict/i.test(stderr)) throw conflict(site, words)
  if (/Unauthorized|must be logged in/.test(stderr)) throw new Trouble(3, `${site.where} does not let us in: the token is expired or not valid`)
  if (/connection refused|no route to host|i\/o timeout|EOF|was refused/.test(stderr)) throw new Trouble(8, `${site.where} does not answer: ${words}`)
  if (how === 'dry run') throw new Trouble(3, `The server would refuse it: ${words}`, { look: [`kubectl kustomize ${site.options.overlay}`] })
  throw new CommandFailed(`kubectl apply failed: ${words}`, code, null, stderr)
}

function conflict(site: Site, words: string): Trouble {
  const said = words
    .split('\n')
    .filter(line => /conflict|^- /.test(line))
    .join(' ')
  return new Trouble(3, `Somebody else has set fields that the overlay sets too: ${said || words}`, {
    next: [
      'put their value into the overlay, or undo their change',
      'or take the fields over, once and by hand: kubectl kustomize … | kubectl apply --server-side --field-manager=runbooks --force-conflicts -f -',
    ],
    look: [site.kube.typed('get', 'deployments', '-o', 'yaml', '--show-managed-fields')],
  })
}

/** Errors without kubectl's advice on them. */
function spoken(stderr: string): string {
  const lines = stderr
    .split('\n')
    .filter(line => line.trim() !== '' && !/^Warning:|^Please review|^\* |^ {2}(manifest|intend|value)|^See http/.test(line))
  return lines.join('\n').trim().slice(0, 2_000)
}

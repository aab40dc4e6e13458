import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from '../context.ts'
import { said } from '../perform.ts'
import type { Session } from '../session.ts'

/** The report must never change an outcome: when it cannot be written, the journal still tells everything. */
export async function writeReport(session: Session, context: Context): Promise<void> {
  const { renderReport } = await import('./render.ts')
  try {
    writeFileSync(join(context.journal.folder, 'report.html'), renderReport(context.journal.entries, { timezone: session.site.timezone }), {
      mode: 0o600,
    })
  } catch (error) {
    session.tell(`The report could not be written: ${said(error)}\n`)
  }
}

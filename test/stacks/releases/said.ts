import { expect } from 'vitest'
import type { Ran } from '../../runbooks/kit.ts'
import type { Site } from '../site.ts'

/** The text of stderr in one line, as it is wrapped to a width. */
export const said = ({ stderr }: Ran): string => stderr.replace(/\s+/g, ' ')

/** Runs a runbook that must come to this exit and this last line; prints that line, so that a log of the tests shows how each stack came out. */
export async function ends(site: Site, exit: number, last: RegExp, runbook: string, ...flags: string[]): Promise<Ran> {
  const ran = await site.run(runbook, ...flags)
  return came(ran, exit, last)
}

/** The same of a run that is over. */
export function came(ran: Ran, exit: number, last: RegExp): Ran {
  console.log(ran.last)
  expect([ran.exit, ran.last], `${ran.stdout}\n${ran.stderr}`).toEqual([exit, expect.stringMatching(last)])
  return ran
}

import { Trouble } from '../plan/outcome.ts'
import type { Doing } from '../plan/plan.ts'
import { BEFORE_RESTORE } from './back-up.ts'
import { catalogue, type Point } from './catalogue.ts'
import { pointName } from './listing.ts'
import { type DataSite, firstStore, folderOf } from './site.ts'

/** How a point is chosen: by id (or its beginning), `latest`, the newest begun on a day, or the newest begun until a moment. */
export type Chosen = { readonly backup?: string | undefined; readonly date?: string | undefined; readonly at?: string | undefined }

/** Points that data can be restored from, oldest first. */
export const usable = (points: readonly Point[]) =>
  points.filter(point => point.status === 'CERTIFIED' || point.status === 'VERIFIED' || point.status === 'UNVERIFIED')

/** The points as answers to a question, newest first, the newest certified one preferred; what cannot be restored from cannot be chosen. */
export async function pointChoices({ site, doing }: { site: DataSite; doing: Doing }) {
  const { points } = await catalogue(firstStore(site), folderOf(site), doing)
  return [...points].reverse().map(point => {
    const disabled = usable([point]).length > 0 ? {} : { disabled: point.because ?? point.status }
    return { value: point.id, name: pointName(point, site.timezone), best: point.status === 'CERTIFIED', ...disabled }
  })
}

/** The calendar day of a moment in a time zone, as `2025-12-07`. */
export function dayIn(timezone: string, iso: string): string {
  return new Intl.DateTimeFormat('en-CA', { timeZone: timezone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(new Date(iso))
}

const begun = (point: Point) => point.manifest?.begun ?? ''

/** The point that was asked for. Trouble(2) for what cannot be read, Trouble(3) when there is none, Trouble(7) when it is there and not sound. */
export function choose(points: readonly Point[], asked: Chosen, timezone: string): Point {
  if ([asked.backup, asked.date, asked.at].filter(value => value !== undefined).length > 1)
    throw new Trouble(2, 'Give one of --backup, --date and --at')
  if (asked.date !== undefined)
    return newest(
      usable(points).filter(point => dayIn(timezone, begun(point)) === day(asked.date as string)),
      `begun on ${asked.date} (${timezone})`,
    )
  if (asked.at !== undefined)
    return newest(
      usable(points).filter(point => Date.parse(begun(point)) <= moment(asked.at as string)),
      `begun until ${asked.at}`,
    )
  if (asked.backup === undefined || asked.backup === 'latest') return latest(usable(points))
  return byId(points, asked.backup)
}

/** The newest that was taken as a backup: the present that a restore saved first is most often the very thing one wants to get away from. */
function latest(points: readonly Point[]): Point {
  const backups = points.filter(point => point.manifest?.label !== BEFORE_RESTORE)
  return newest(backups.length > 0 ? backups : points, 'to restore from')
}

function byId(points: readonly Point[], id: string): Point {
  const [found, second] = points.filter(point => point.id.startsWith(id))
  if (!found) throw new Trouble(3, `There is no backup ${id}`, { look: points.slice(-3).map(point => point.id) })
  if (second) throw new Trouble(2, `Several backups begin with ${id}: ${found.id}, ${second.id}`)
  if (found.status === 'UNREADABLE') throw new Trouble(3, found.because ?? `${found.id} cannot be read by this version`)
  if (!usable([found]).length) throw new Trouble(7, `${found.id} is ${found.status}: ${found.because}`)
  return found
}

function newest(points: readonly Point[], which: string): Point {
  const [point] = [...points].sort((a, b) => (begun(a) > begun(b) ? -1 : 1))
  if (!point) throw new Trouble(3, `There is no sound backup ${which}`)
  return point
}

function day(text: string): string {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || Number.isNaN(Date.parse(text))) throw new Trouble(2, `--date=${text} is not a day; write it 2025-12-07`)
  return text
}

function moment(text: string): number {
  const time = Date.parse(text)
  if (Number.isNaN(time) || !/T.*(Z|[+-]\d{2}:?\d{2})$/.test(text))
    throw new Trouble(2, `--at=${text} is not a moment with its zone; write it 2025-12-07T02:00:00+01:00`)
  return time
}

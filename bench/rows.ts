import { type Contest, type Measured, median } from './measure.ts'

/** A line of the table: our figure, the rival's, and what is required of them; `ok` is null where nothing is required. */
export type Row = {
  readonly name: string
  readonly ours: string
  readonly rival: string
  readonly result: string
  readonly required: string
  readonly ok: boolean | null
  readonly figures: object
}

/** Throughputs (of `mib` MiB) with the median of the rounds' ratios, which must be at least `least` where that is given; the ratio of cpu time beside it holds on a busy machine too. */
export function ratioRow(name: string, { ours, rival, ratio, ratios }: Contest, least: number | null, mib: number): Row {
  const speed = (all: readonly Measured[]) => `${Math.round((mib * 1000) / median(all.map(one => one.ms)))} MiB/s`
  const cpu = median(rival.map(one => one.cpuMs)) / median(ours.map(one => one.cpuMs))
  const figures = { ours: ours.map(bare), rival: rival.map(bare), ratios, ratio, cpuRatio: cpu }
  return {
    name,
    ours: speed(ours),
    rival: speed(rival),
    result: `${ratio.toFixed(2)} x (cpu ${cpu.toFixed(2)})`,
    required: least === null ? '' : `≥ ${least.toFixed(1)} x`,
    ok: least === null ? null : ratio >= least,
    figures,
  }
}

const bare = ({ ms, cpuMs, peakMib }: Measured) => ({ ms, cpuMs, peakMib })

/** Times to the last line of a short command, of which ours may take `most` times the rival's. */
export function startRow(name: string, { ours, rival, ratios }: Contest, most: number): Row {
  const time = (all: readonly Measured[]) => `${Math.round(median(all.map(one => one.ms)))} ms`
  const slower = median(ratios.map(ratio => 1 / ratio))
  const figures = { ours: ours.map(bare), rival: rival.map(bare), slower }
  return {
    name,
    ours: time(ours),
    rival: time(rival),
    result: `${slower.toFixed(2)} x`,
    required: `≤ ${most.toFixed(1)} x`,
    ok: slower <= most,
    figures,
  }
}

/** The highest memory of several runs of one process, in MB as meters show it. */
export function peakRow(name: string, all: readonly Measured[], mostMb?: number): Row {
  const peak = Math.max(...all.map(one => one.peakMib)) * 1.048576
  const [required, ok] = mostMb === undefined ? ['', null] : [`≤ ${mostMb} MB`, peak <= mostMb]
  return { name, ours: '', rival: '', result: `${Math.round(peak)} MB`, required, ok, figures: { peakMb: peak } }
}

/** How often something good was called doomed, of so many tries; once is too often. */
export function alarmsRow(name: string, alarms: number, tries: number): Row {
  return { name, ours: String(alarms), rival: '', result: `${alarms} of ${tries}`, required: '0', ok: alarms === 0, figures: { alarms } }
}

/** The rows as text in columns. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map(row => [row.name, row.ours, row.rival, row.result, row.required, row.ok === null ? '' : row.ok ? 'ok' : 'BELOW'])
  const all = [['', 'ours', 'rival', 'result', 'required', ''], ...cells]
  const widths = all[0]!.map((_, column) => Math.max(...all.map(row => row[column]!.length)))
  return all
    .map(row =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

import { otherOf } from './site.ts'

/** Which slot split.conf means to get most of the traffic, with its share in percent, and the generation. */
export type Intended = { readonly slot: string; readonly percent: number; readonly generation: string }

/** The generated file that nginx includes: the slot of a request, the generation, and the slot that answers; the first line is for `intended`. */
export function splitFile(to: string, percent: number, generation: string): string {
  const other = otherOf(to)
  const slot = [100, 0].includes(percent)
    ? `map '' $slot { default ${percent === 100 ? to : other}; }`
    : `split_clients "$request_id" $slot { ${percent}% ${to}; * ${other}; }`
  const [most, share] = percent >= 50 ? [to, percent] : [other, 100 - percent]
  return [
    `# ${generation}: ${most} ${share} %. Written by runbooks at each change of traffic.`,
    slot,
    `map '' $generation { default '${generation}'; }`,
    `map $http_x_runbooks_track $track { default $slot; '${generation}-blue' blue; '${generation}-green' green; }`,
    '',
  ].join('\n')
}

/** What a split.conf of ours means; undefined when there is none. */
export function intended(file: string): Intended | undefined {
  const [, generation = '', slot, percent] = /^# (\S+): (blue|green) ([\d.]+) %/.exec(file) ?? []
  return slot === undefined ? undefined : { slot, percent: Number(percent), generation }
}

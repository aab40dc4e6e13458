import { Trouble } from '../lib/plan/outcome.ts'
import { flag, many, text } from '../lib/run/options.ts'
import { runbook } from '../lib/run/runbook.ts'

const FORMATS = ['table', 'json', 'prometheus']

export default runbook(import.meta, {
  name: 'health-check',
  does: 'Looks at everything of a stack at once, and says of what is not well why.',
  lease: 'none',
  check: true,
  unfinished: 'ask',

  options: {
    format: text({ help: 'how it is printed; a table unless given', shows: FORMATS.join('|') }),
    only: many({ help: 'look at this check only', shows: 'name' }),
    notify: flag({ help: 'for cron: tell the channels of what is unhealthy or could not be looked at, and when all is well again' }),
  },

  told: options => options.notify,

  uses: () => import('../lib/run/words.ts'),

  async inspect({ use, site, options, doing }) {
    const format = options.format ?? 'table'
    if (!FORMATS.includes(format)) throw new Trouble(2, `--format=${format} is not known; there are ${FORMATS.join(', ')}`)
    // Who hears of it must be able to take "all is well again" at its word.
    if (options.notify && options.only.length > 0) throw new Trouble(2, '--notify speaks of everything; leave --only out')
    return { format, findings: await use.lookAtAll(use.onlyThese(await use.everyCheck(site, use.releaseChecks(site)), options.only), doing) }
  },

  ends({ use, site, facts: { format, findings } }) {
    const { unhealthy, unknown } = use.byVerdict(findings)
    const bad = [...unhealthy, ...unknown]
    const result = use.findingsResult(findings)
    return {
      exit: use.exitOf(findings),
      says: use.healthSentence(findings),
      ...(bad.length > 0 ? { why: bad.map(({ name, says }) => `${name}: ${says}`).join('\n') } : {}),
      look: bad.flatMap(({ look = [] }) => look),
      tells: unhealthy.length > 0 ? ['unhealthy'] : unknown.length > 0 ? ['failed'] : [],
      ...(format === 'table' ? { summary: use.findingsTable(findings) } : {}),
      ...(format === 'json' ? { product: `${JSON.stringify(result, null, 2)}\n` } : {}),
      ...(format === 'prometheus' ? { product: use.exposition(findings, site) } : {}),
      result,
    }
  },
})

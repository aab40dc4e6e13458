import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'

/** One exhaustive proof that is too long for every push: plays its cases, and tells of each that went wrong. */
export type Member = (tell: (failure: string) => void) => Promise<{ readonly cases: number }>

/** Members of the matrix: every other file of this folder, whose default export is a Member. */
const members = readdirSync(import.meta.dirname)
  .filter(file => file.endsWith('.ts') && file !== basename(import.meta.filename))
  .map(file => basename(file, '.ts'))
  .sort()

const { positionals } = parseArgs({ allowPositionals: true })
const unknown = positionals.filter(name => !members.includes(name))
if (unknown.length > 0) {
  console.error(`There is no ${unknown.join(', ')} in the matrix. There are: ${members.join(', ')}.`)
  process.exit(2)
}

/** A member that breaks off has proved nothing, and the others still have their turn. */
async function play(name: string, tell: (failure: string) => void): Promise<number> {
  try {
    const { default: member } = (await import(`./${name}.ts`)) as { default: Member }
    return (await member(tell)).cases
  } catch (error) {
    tell(`it broke off: ${error instanceof Error ? error.stack : error}`)
    return 0
  }
}

let failed = 0
for (const name of positionals.length > 0 ? positionals : members) {
  const began = performance.now()
  let failures = 0
  const cases = await play(name, failure => {
    failures += 1
    console.error(`FAILED ${name}: ${failure}`)
  })
  const good = failures === 0 && cases > 0
  if (!good) failed += 1
  console.log(`${good ? 'ok' : 'FAILED'} ${name}: ${cases} cases, ${failures} failures, ${((performance.now() - began) / 60_000).toFixed(1)} min`)
}
process.exit(failed === 0 ? 0 : 1)

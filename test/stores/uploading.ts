import { setTimeout as delay } from 'node:timers/promises'
import { bytes, doing, open, type Recipe } from './recipes.ts'

/** Run as a child. `hang`: puts 40 MiB, says so, and never ends the body. `measure`: puts that many MiB and prints by how many the memory grew. */
const [mode, recipe, amount] = process.argv.slice(2) as ['hang' | 'measure', string, string]
const store = open(JSON.parse(recipe) as Recipe)
const MIB = 1024 * 1024

if (mode === 'hang') {
  await store.put('killed/object', endless(), doing())
} else {
  await store.put('small', bytes(10), doing())
  const before = process.memoryUsage.rss()
  let most = before
  const sampling = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 20)
  await store.put('large', bytes(Number(amount) * MIB), doing())
  clearInterval(sampling)
  process.stdout.write(`${Math.round((most - before) / MIB)}\n`)
}

async function* endless(): AsyncGenerator<Buffer> {
  yield* bytes(40 * MIB)
  // Time for the parts to arrive.
  await delay(500)
  process.stdout.write('flowing\n')
  await delay(600_000)
}

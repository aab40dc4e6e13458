import { plain } from '../../../lib/run/show/style.ts'
import { tree } from '../../../lib/run/show/tree.ts'
import { samples } from '../samples.ts'

// A program that draws a tree on what it takes for a terminal until a signal comes; with `handles` it ends as an engine does.
Object.defineProperty(process.stderr, 'isTTY', { value: true })
// With `leaves` it ends as a second Ctrl-C does.
const watcher = await tree({ out: process.stderr, style: plain })
for (const entry of samples.goodBackup.slice(0, 4)) watcher.saw(entry)
if (process.argv[2] === 'handles') {
  process.on('SIGINT', async () => {
    await new Promise(resolve => setTimeout(resolve, 300))
    process.stderr.write('said while the tree stands\n')
    await watcher.end()
    process.stdout.write('the last line\n')
    process.exit(130)
  })
}
if (process.argv[2] === 'leaves') {
  process.on('SIGINT', () => {
    process.stderr.write('said while the tree stands\n')
    process.exit(5)
  })
}
setTimeout(() => process.exit(9), 30_000)

import { join } from 'node:path'
import { makeDemo } from '../demo/data.ts'
import { contest, measure } from './measure.ts'
import { type Row, startRow } from './rows.ts'

const ROOT = join(import.meta.dirname, '..')
const ZX = join(ROOT, 'node_modules/.bin/zx')

/** How long an operator waits for the help and for the plan, against zx itself printing one line. */
export async function startUp(folder: string, rounds: number): Promise<Row[]> {
  const home = join(folder, 'home')
  await makeDemo(join(home, 'demo'))
  const zx = (...argv: string[]) => measure(process.execPath, [ZX, ...argv], { RUNBOOKS_HOME: home, NO_COLOR: '1' })
  const backup = join(ROOT, 'runbooks/backup.ts')
  const oneLine = () => zx(join(ROOT, 'bench/one-line.ts'))
  const help = await contest(rounds, () => zx(backup, '--help'), oneLine)
  const dryRun = await contest(rounds, () => zx(backup, '--stack=demo', '--environment=local', '--dry-run'), oneLine)
  return [startRow('--help against a zx script of one line', help, 1.5), startRow('--dry-run of the demo backup against the same', dryRun, 3)]
}

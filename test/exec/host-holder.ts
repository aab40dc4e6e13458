import { sshHost } from '../../lib/exec/host.ts'
import { run } from '../../lib/exec/process.ts'
import { Secret } from '../../lib/plan/secrets.ts'

/** Another process that is connected to a host and runs two long commands there; ended by the tests. With `close`, SIGTERM is answered in order. */
const {
  key,
  run: id,
  close,
  ...address
} = JSON.parse(process.argv[2] ?? '{}') as {
  user: string
  host: string
  port: number
  knownHosts: string
  key: string
  run: string
  close: boolean
}
const host = sshHost({ ...address, key: new Secret('KEY', key) })
const stop = new AbortController()
const doing = { run: id, signal: stop.signal, progress() {}, spawned() {} }
if (close) {
  process.once('SIGTERM', () => {
    stop.abort(new Error('ended'))
    void host.close().then(() => process.exit(143))
  })
}
const both = [host.on({ file: 'sleep', argv: ['611'] }), host.on({ file: 'sleep', argv: ['612'] }, { input: true })]
await host.script('exit 0', [], doing)
const works = both.map(command => run(command, doing, command === both[1] ? { input: '' } : {}))
process.stdout.write('running\n')
await Promise.allSettled(works)

// Runs Prometheus and lets no signal but the last through to it: a service that does not read its configuration when it is told to.
import { spawn } from 'node:child_process'

const child = spawn('/usr/bin/prometheus', process.argv.slice(2), { stdio: 'inherit' })
process.on('SIGHUP', () => {})
process.on('SIGTERM', () => child.kill('SIGTERM'))
child.on('exit', code => process.exit(code ?? 1))

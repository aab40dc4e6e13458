import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { until } from '../platforms/conformance/kit.ts'
import { type Answer, ask, asked, long } from '../platforms/load.ts'
import { freePort } from '../platforms/sandbox-world.ts'

const SHOP = fileURLToPath(new URL('../../demo/app/shop.ts', import.meta.url))
const running: ChildProcess[] = []
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
})

type Shop = {
  readonly child: ChildProcess
  readonly get: (path: string) => Promise<Answer>
  readonly many: (path: string, count: number) => Promise<readonly Answer[]>
  readonly door: Parameters<typeof ask>[0]
  readonly said: () => string
}

/** The application in a version, once it listens. */
async function shop(version: string): Promise<Shop> {
  const port = await freePort()
  const child = spawn(process.execPath, [SHOP, `--version=${version}`, `--port=${port}`], { stdio: ['ignore', 'pipe', 'pipe'] })
  running.push(child)
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', chunk => {
      said += chunk
    })
  }
  await until(
    async () => said,
    text => text.includes('listens'),
  )
  const door = { url: `http://127.0.0.1:${port}`, headers: {} }
  return { child, door, get: path => ask(door, path), many: (path, count) => asked(door, path, count), said: () => said }
}

const exited = async (child: ChildProcess) => (child.exitCode === null ? ((await once(child, 'exit'))[0] as number | null) : child.exitCode)

describe('the demo’s application', () => {
  test('a good version is healthy, answers, and says its version in each answer', async () => {
    const { get } = await shop('1.1.0')
    expect(await get('/health')).toMatchObject({ status: 200, version: '1.1.0', body: '{"version":"1.1.0","ok":true}\n' })
    expect(await get('/')).toMatchObject({ status: 200, version: '1.1.0' })
    expect(JSON.parse((await get('/api/products')).body).products).toHaveLength(3)
    expect(await get('/nothing')).toMatchObject({ status: 404, version: '1.1.0' })
    expect(await get('/slow')).toMatchObject({ status: 200 })
  })

  test('on SIGTERM it answers what is under way and ends with 0', async () => {
    const { child, get } = await shop('1.1.0')
    const slow = get('/slow')
    await new Promise(resolve => setTimeout(resolve, 150))
    child.kill('SIGTERM')
    expect(await slow).toMatchObject({ status: 200 })
    expect(await exited(child)).toBe(0)
  })

  test('/events goes on until the client leaves', async () => {
    const { door } = await shop('1.0.0')
    const stream = await long(door, '/events')
    const first = stream.bytes()
    expect(
      await until(
        async () => stream.bytes(),
        bytes => bytes > 3 * first,
      ),
    ).toBeGreaterThan(3 * first)
    expect(stream.ended()).toBeNull()
    stream.close()
  })

  test('-crash ends with 1 soon after its start, and says which variable is missing', async () => {
    const { child, said } = await shop('1.2.0-crash')
    expect(await exited(child)).toBe(1)
    expect(said()).toContain('missing environment variable PAYMENT_API_URL')
  })

  test('-never-ready answers, and its health check says 503 with the reason', async () => {
    const { get } = await shop('1.2.0-never-ready')
    expect(await get('/health')).toMatchObject({ status: 503, body: expect.stringContaining('waiting for migrations') })
    expect(await get('/')).toMatchObject({ status: 200 })
  })

  test('-errors is healthy, and one answer of ten is a 500', async () => {
    const { get, many } = await shop('1.2.0-errors')
    const answers = await many('/', 200)
    expect(answers.filter(({ status }) => status === 500).length).toBeGreaterThanOrEqual(20)
    expect(answers.filter(({ status }) => status === 500).length).toBeLessThanOrEqual(21)
    for (const { status } of await many('/health', 50)) expect(status).toBe(200)
    expect(await get('/health')).toMatchObject({ status: 200 })
  })

  test('-slow is healthy at once, and one answer of ten takes 3 s', async () => {
    const { get } = await shop('1.2.0-slow')
    for (let n = 1; n < 10; n += 1) await get('/')
    const begun = performance.now()
    expect(await get('/')).toMatchObject({ status: 200 })
    expect(performance.now() - begun).toBeGreaterThan(2_900)
  })

  test('-late lives under health checks for a while, and ends soon after it gets traffic', async () => {
    const { child, many, said } = await shop('1.2.0-late')
    await many('/health', 30)
    expect(child.exitCode).toBeNull()
    const answers = await many('/', 40)
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(await exited(child)).toBe(1)
    expect(said()).toContain('heap limit')
  })
})

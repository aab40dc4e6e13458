import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { prints } from '../../../lib/exec/process.ts'
import { Trouble } from '../../../lib/plan/outcome.ts'
import { Secret } from '../../../lib/plan/secrets.ts'
import { parsedUrl, type Server, whereOf } from '../../../lib/sources/redis/address.ts'
import { cli, pipe } from '../../../lib/sources/redis/cli.ts'
import { redis } from '../../../lib/sources/redis/index.ts'
import { SOURCES } from '../../../lib/sources/registry.ts'

const url = (text: string) => new Secret('REDIS_URL', text)
const server = (text: string, more: Partial<Server> = {}): Server => ({
  ...{ setting: 'REDIS_URL', socket: undefined, within: undefined, bin: undefined },
  ...parsedUrl(url(text)),
  ...more,
})

describe('the address of a Redis server', () => {
  it('has a port of its own unless told otherwise, and its user and password decoded', () => {
    const found = parsedUrl(url('redis://app:p%40ss%2Fword@cache.internal/3'))
    expect(found).toMatchObject({ host: 'cache.internal', port: 6379, tls: false, user: 'app' })
    expect(found.password?.reveal()).toBe('p@ss/word')
    expect(whereOf(found, '')).toBe('redis://cache.internal:6379')
    expect(whereOf(parsedUrl(url('rediss://[::1]:7000')), 'ecosyste/redis')).toBe('ecosyste/redis rediss://[::1]:7000')
  })

  it.each(['cache:6379', 'http://cache', 'redis://', 'redis://:p@ss/w@cache:port'])('refuses %s without repeating it', text => {
    try {
      parsedUrl(url(text))
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(Trouble)
      expect(error).toMatchObject({ exit: 2, message: 'REDIS_URL is not the address of one Redis server.' })
    }
  })

  it('is given once', () => {
    expect(() => redis('cache', { url: url('redis://cache'), host: 'other' })).toThrow(/address twice/)
    const { options } = SOURCES.redis
    const hidden = { env: 'REDIS_URL', hidden: true }
    expect(options(z).safeParse({ url: hidden }).success).toBe(true)
    expect(options(z).safeParse({ in: { compose: { project: 'ecosyste' }, service: 'redis' } }).success).toBe(true)
    expect(options(z).safeParse({ url: hidden, host: 'cache' }).success).toBe(false)
    expect(options(z).safeParse({ url: 'redis://:password@cache' }).success).toBe(false)
    expect(options(z).safeParse({}).success).toBe(false)
  })
})

describe('redis-cli', () => {
  it('is told everything but the password on its command line', () => {
    const command = cli(server('rediss://app:pass-word@cache.internal:7000'), ['--rdb', '-'])
    expect(command.argv).toEqual([
      '--askpass',
      '-h',
      'cache.internal',
      '-p',
      '7000',
      '--tls',
      '--sni',
      'cache.internal',
      '--user',
      'app',
      '--rdb',
      '-',
    ])
    expect(command.preface?.reveal()).toBe('pass-word\n')
    expect(JSON.stringify([command, pipe(server('redis://app:pass-word@cache'))])).not.toContain('pass-word')
  })

  it('runs inside a service as a person would type it', () => {
    const within = { compose: { project: 'ecosyste' }, service: 'redis' }
    const command = cli(server('redis://:pass-word@127.0.0.1', { within }), ['--rdb', '-'])
    expect(prints(command)).toBe('docker compose -p ecosyste exec -T redis redis-cli -h 127.0.0.1 -p 6379 --rdb -')
    expect(command.argv.join(' ')).not.toContain('pass-word')
    expect(command.preface?.reveal()).toContain('REDISCLI_AUTH')
    expect(redis('cache', { in: within }).where).toBe('ecosyste/redis redis://127.0.0.1:6379')
  })

  it('refuses a password that has a line break', () => {
    expect(() => cli(server('redis://:two%0Alines@cache'), [])).toThrow(/line break/)
  })
})

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { afterAll, describe, expect, test } from 'vitest'
import { composeOf, filesOf, STACKS, textOf, wholeFiles } from './assets.ts'
import { copyOf, remove, run } from './kit.ts'

const folders: string[] = []
afterAll(() => remove(folders))

const newCopy = (stack: string): string => {
  const folder = copyOf(stack)
  folders.push(folder)
  return folder
}

const KEY = '-----BEGIN PRIVATE KEY-----\nAAAA\nBBBB==\n-----END PRIVATE KEY-----'

/** What others have to give. */
const GIVEN = {
  MONGODB_URL: 'mongodb://a:b@c/d',
  FIREBASE_CLIENT_EMAIL: 'a@b',
  FIREBASE_PRIVATE_KEY: KEY,
  FIREBASE_API_KEY: 'k',
  AWS_ACCESS_KEY_ID: 'i',
  AWS_SECRET_ACCESS_KEY: 's',
  DISCORD_WEBHOOK_URL: 'https://discord.example/1',
}

const make = (folder: string, env: Record<string, string> = GIVEN) => run(folder, 'sh', ['secrets.example'], env)
const secret = (folder: string, name: string): string => readFileSync(join(folder, 'secrets', name), 'utf8')
const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8)

describe.each(STACKS)('secrets.example of %s', stack => {
  const named = [...new Set(wholeFiles(stack).flatMap(file => Object.keys(composeOf(stack, file).secrets ?? {})))].sort()

  test('makes every secret file that the Compose files name, in a closed folder, readable for the containers’ users', () => {
    const folder = newCopy(stack)
    expect(make(folder)).toMatchObject({ status: 0, stderr: '' })
    expect(readdirSync(join(folder, 'secrets')).sort()).toEqual(named)
    expect(modeOf(join(folder, 'secrets'))).toBe('700')
    expect(named.map(name => modeOf(join(folder, 'secrets', name)))).toEqual(named.map(() => '444'))
    for (const name of named) expect(secret(folder, name)).not.toBe('')
  })

  test('overwrites nothing, and no two hosts have the same', () => {
    const [one, two] = [newCopy(stack), newCopy(stack)]
    for (const folder of [one, two]) make(folder)
    const before = named.map(name => secret(one, name))
    expect(make(one).status).toBe(0)
    expect(named.map(name => secret(one, name))).toEqual(before)
    const random = named.filter(name => /password|jwt/.test(name))
    expect(random.length).toBeGreaterThan(0)
    for (const name of random) {
      expect(secret(one, name)).toMatch(/^[0-9a-f]{48}$/)
      expect(secret(two, name)).not.toBe(secret(one, name))
    }
  })

  test('git takes neither secrets nor certificates nor the variables of a host', () => {
    const folder = newCopy(stack)
    run(folder, 'git', ['init', '--quiet'])
    make(folder)
    mkdirSync(join(folder, 'tls'))
    const paths = ['secrets/x', 'tls/privkey.pem', '.env', ...(stack === 'immo-express' ? ['uploads/photo.jpg'] : [])]
    expect(
      run(folder, 'git', ['check-ignore', ...paths])
        .stdout.trimEnd()
        .split('\n'),
    ).toEqual(paths)
    expect(run(folder, 'git', ['check-ignore', ...filesOf(stack)])).toMatchObject({ status: 1, stdout: '' })
  })
})

describe('secrets that belong together', () => {
  test('the address of PostgreSQL has the password that PostgreSQL is given', () => {
    const folder = newCopy('ecosyste')
    make(folder, { DB_USER: 'eco', DB_NAME: 'net' })
    expect(secret(folder, 'database_url')).toBe(`postgresql://eco:${secret(folder, 'db_password')}@postgres:5432/net`)
  })

  test('the address of MongoDB is that of a user who can read and write one database, and whom the first start makes', () => {
    const folder = newCopy('immo-express')
    make(folder)
    const password = secret(folder, 'mongodb_app_password')
    expect(secret(folder, 'mongodb_uri')).toBe(`mongodb://immoexpress:${password}@mongodb:27017/agence_immobiliere?authSource=admin`)
    const made: unknown[] = []
    runInNewContext(textOf('immo-express', 'mongodb/init/application-user.js'), {
      require: () => ({ readFileSync: (path: string) => secret(folder, path.replace('/run/secrets/', '')) }),
      db: { getSiblingDB: (name: string) => ({ createUser: (user: object) => made.push({ in: name, ...user }) }) },
      process: { env: { MONGO_INITDB_DATABASE: 'agence_immobiliere' } },
    })
    expect(made).toEqual([{ in: 'admin', user: 'immoexpress', pwd: password, roles: [{ role: 'readWrite', db: 'agence_immobiliere' }] }])
  })

  test('a key with line breaks arrives whole', () => {
    const folder = newCopy('benevoclic')
    make(folder)
    expect(secret(folder, 'firebase_private_key')).toBe(KEY)
  })

  test('what others have not given is named, and no empty file stands for it', () => {
    const folder = newCopy('benevoclic')
    const { AWS_SECRET_ACCESS_KEY: _, ...rest } = GIVEN
    const { status, stderr } = make(folder, rest)
    expect(status).not.toBe(0)
    expect(stderr).toContain('secrets/aws_secret_access_key')
    expect(existsSync(join(folder, 'secrets/aws_secret_access_key'))).toBe(false)
    expect(make(folder)).toMatchObject({ status: 0 })
  })
})

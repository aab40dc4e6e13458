import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { project } from './kit.ts'

const script = readFileSync(join(project, 'k8s/check-in/base/init-replica-set.js'), 'utf8')
const MEMBERS = ['a:27017', 'b:27017', 'c:27017']

type Set = { readonly names: (string | undefined)[]; readonly users: string[]; readonly did: string[] }

/** mongosh cannot be had here: its `connect` and `print`, with members that say of which set they are. */
function run(set: Set): void {
  const connect = (uri: string) => {
    const { host, username, password } = new URL(uri.replace(/^mongodb:/, 'http:').replace(/,[^/]*/, ''))
    const admin = username !== ''
    if (admin) expect([decodeURIComponent(username), decodeURIComponent(password)]).toEqual(['root', 'p@ss/word'])
    return {
      runCommand(command: { hello?: 1; replSetInitiate?: { _id: string; members: { host: string }[] } }) {
        if (command.hello) return { ok: 1, setName: set.names[MEMBERS.indexOf(host)] }
        expect([admin, host, command.replSetInitiate?.members.map(member => member.host)]).toEqual([true, MEMBERS[0], MEMBERS])
        set.names.fill('rs0')
        set.did.push('initiate')
        return { ok: 1 }
      },
      getUser: (name: string) => (set.users.includes(name) ? { user: name } : null),
      createUser: ({ user }: { user: string }) => {
        set.users.push(user)
        set.did.push(`create ${user}`)
      },
      updateUser: (user: string) => void set.did.push(`update ${user}`),
    }
  }
  const env = {
    MEMBERS: MEMBERS.join(),
    MONGO_ROOT_USERNAME: 'root',
    MONGO_ROOT_PASSWORD: 'p@ss/word',
    MONGO_APP_PASSWORD: 'x',
    MONGO_RUNBOOKS_PASSWORD: 'y',
  }
  runInNewContext(script, { connect, print: () => {}, process: { env }, encodeURIComponent })
}

test('the replica set and its users are made once, and running again changes nothing but the passwords', () => {
  const set: Set = { names: [undefined, undefined, undefined], users: [], did: [] }
  run(set)
  expect(set.did).toEqual(['initiate', 'create checkin', 'create runbooks'])
  set.did.length = 0
  run(set)
  expect(set.did).toEqual(['update checkin', 'update runbooks'])
})

test('a member that has come back empty does not make a second set', () => {
  const set: Set = { names: [undefined, 'rs0', 'rs0'], users: ['checkin'], did: [] }
  run(set)
  expect(set.did).toEqual(['update checkin', 'create runbooks'])
})

test('members of another set are left alone', () => {
  const set: Set = { names: ['rs1', 'rs1', 'rs1'], users: [], did: [] }
  expect(() => run(set)).toThrow('the members say that they belong to rs1, rs1, rs1, not to rs0')
  expect(set.did).toEqual([])
})

import { expect, test } from 'vitest'
import type { Entry } from '../../../lib/sources/postgres/contents.ts'
import { marksOf, withMarks } from '../../../lib/sources/postgres/marks.ts'
import { leftover, tableName } from '../../../lib/sources/postgres/names.ts'
import { normalised, rolesOf, schemaItems } from '../../../lib/sources/postgres/schema.ts'

const entry = (kind: string, sql: string, owner = 'app'): Entry => ({
  id: 1,
  data: false,
  kind,
  schema: 'public',
  name: 'orders',
  sql,
  copy: '',
  owner,
})

test('a definition is the same after PostgreSQL has moved its casts, and another one when anything else changed', () => {
  const before = "CHECK (((name)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))"
  const after = "CHECK (((name)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text])))"
  expect(normalised(before)).toBe(normalised(after))
  for (const other of [before.replace("'b'", "'c'"), before.replace('ANY', 'ALL'), before.replace('name', 'nam')])
    expect(normalised(other)).not.toBe(normalised(before))
})

test('the order of entries and of rights does not count, owners and texts do', () => {
  const [table, rights] = [entry('TABLE', 'CREATE TABLE orders'), entry('ACL', 'GRANT a;\nGRANT b;\n')]
  expect(schemaItems([rights, table])).toEqual(schemaItems([table, entry('ACL', 'GRANT b;\nGRANT a;\n')]))
  expect(schemaItems([table, rights])).not.toEqual(schemaItems([entry('TABLE', 'CREATE TABLE orders', 'other'), rights]))
  expect(schemaItems([table, rights])).not.toEqual(schemaItems([table]))
})

test('roles are those that own and those that rights are given to, but not everybody', () => {
  const rights = entry(
    'ACL',
    'GRANT SELECT ON TABLE orders TO reader;\nREVOKE ALL ON TABLE orders FROM PUBLIC;\nGRANT ALL ON TABLE orders TO "Odd ""one""";\n',
  )
  const policy = entry('POLICY', 'CREATE POLICY p ON orders TO alice, bob USING (true);')
  expect(rolesOf([rights, policy])).toEqual(['Odd "one"', 'alice', 'app', 'bob', 'reader'])
})

test('marks stand before the team’s own comment, and go without a trace', () => {
  for (const own of ['', 'the shop', '[locked] by nobody', "it's\nours"]) {
    for (const marks of [{ own }, { lock: 'r1', own }, { instead: 'r2', own }, { lock: 'r1', instead: 'r2', own }])
      expect(marksOf(withMarks(marks))).toMatchObject(marks)
  }
})

test('only names that a restore or drill made are its own', () => {
  expect(leftover('shop__restore_r1-a', 'shop')).toEqual({ run: 'r1-a', place: 'beside' })
  expect(leftover('shop__aside_r1', 'shop')).toEqual({ run: 'r1', place: 'aside' })
  expect(leftover('shop__drill_r1', 'shop')).toEqual({ run: 'r1', place: 'scratch' })
  for (const other of ['shop', 'shop2__restore_r1', 'shop__restore_', 'shop__restore_r 1', 'my_shop__aside_r1'])
    expect(leftover(other, 'shop')).toBeUndefined()
  expect([tableName('public', 'orders'), tableName('Shop', 'a"b.c')]).toEqual(['public.orders', '"Shop"."a""b.c"'])
})

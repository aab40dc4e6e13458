import { DatabaseSync } from 'node:sqlite'
import { pick, type Random, seeded } from './random.ts'

const SCHEMA = `
  CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, city TEXT, note TEXT, created_at TEXT NOT NULL);
  CREATE TABLE products (id INTEGER PRIMARY KEY, sku TEXT NOT NULL UNIQUE, title TEXT NOT NULL, price_cents INTEGER NOT NULL, weight_kg REAL, thumbnail BLOB);
  CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers(id), status TEXT NOT NULL, created_at TEXT NOT NULL);
  CREATE TABLE order_lines (
    order_id INTEGER NOT NULL REFERENCES orders(id), line INTEGER NOT NULL, product_id INTEGER NOT NULL REFERENCES products(id),
    quantity INTEGER NOT NULL, price_cents INTEGER NOT NULL, PRIMARY KEY (order_id, line)) WITHOUT ROWID;
  CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT, created_at TEXT NOT NULL);
`

const INDEXES = `
  CREATE INDEX orders_customer ON orders (customer_id);
  CREATE INDEX orders_created ON orders (created_at);
  CREATE INDEX lines_product ON order_lines (product_id);
  CREATE INDEX events_created ON events (created_at);
  CREATE VIEW order_totals AS
    SELECT o.id, o.customer_id, o.status, o.created_at, sum(l.quantity * l.price_cents) AS total_cents
    FROM orders o JOIN order_lines l ON l.order_id = o.id GROUP BY o.id;
`

const FIRST = ['Ana', 'Björn', 'Chloé', 'Dmitri', 'Elif', 'Fatima', 'Giulia', 'Håkon', 'Ines', 'José', '健', 'Łukasz', 'Mei', 'Noor', 'Ólafur', 'Zoë']
const LAST = [
  'Berg',
  "D'Angelo",
  'Fernández',
  'García',
  'Haddad',
  'Ito',
  'Jansen',
  'Kowalski',
  'Müller',
  'Nguyen',
  'O’Brien',
  'Østby',
  'Petit',
  'Şahin',
]
const CITIES = ['Lisboa', 'Paris', 'Kraków', 'São Paulo', '東京', 'Zürich', 'Oslo', 'Nairobi', null]
const STATES = ['open', 'paid', 'shipped', 'delivered', 'returned']
const KINDS = ['login', 'search', 'cart', 'payment', 'mail']

const ROWS = { customers: 12_000, products: 600, orders: 24_000, events: 36_000 }
const PRODUCTS = ROWS.products

/** Half a minute between two orders, so that the whole year before `now` is not needed to fill the tables. */
const STEP_MS = 30_000

/** Makes the shop's database: the same for the same `now`, with more than 100,000 rows. */
export function makeShop(file: string, now: Date): void {
  const random = seeded(20_251_209)
  const database = new DatabaseSync(file)
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; BEGIN')
    database.exec(SCHEMA)
    addPeople(database, random, now)
    addProducts(database, random)
    const begin = now.getTime() - ROWS.orders * STEP_MS
    for (let made = 1; made <= ROWS.orders; made += 1) addOrder(database, random, new Date(begin + made * STEP_MS))
    addEvents(database, random, ROWS.events, now)
    database.exec(INDEXES)
    database.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)')
  } finally {
    database.close()
  }
}

/** Adds orders with their lines and events, written as of now. */
export function addSales(file: string, orders: number): void {
  const database = new DatabaseSync(file, { timeout: 5000 })
  try {
    database.exec('PRAGMA foreign_keys = ON; BEGIN IMMEDIATE')
    const known = Number(database.prepare('SELECT count(*) AS n FROM orders').get()?.n)
    const random = seeded(known)
    const now = new Date()
    for (let made = 0; made < orders; made += 1) addOrder(database, random, now)
    addEvents(database, random, orders, now)
    database.exec('COMMIT')
  } finally {
    database.close()
  }
}

/** A migration gone wrong: the newer half of the orders is deleted, prices are zero, and the events are dropped. Returns the rows lost. */
export function ruinShop(file: string): number {
  const database = new DatabaseSync(file, { timeout: 5000 })
  try {
    database.exec('BEGIN IMMEDIATE')
    const events = Number(database.prepare('SELECT count(*) AS n FROM events').get()?.n)
    const { middle } = database.prepare('SELECT max(id) / 2 AS middle FROM orders').get() as { middle: number }
    const lines = database.prepare('DELETE FROM order_lines WHERE order_id > ?').run(middle).changes
    const orders = database.prepare('DELETE FROM orders WHERE id > ?').run(middle).changes
    database.exec('UPDATE products SET price_cents = 0; DROP TABLE events; COMMIT')
    return events + Number(lines) + Number(orders)
  } finally {
    database.close()
  }
}

function addPeople(database: DatabaseSync, random: Random, now: Date): void {
  const insert = database.prepare('INSERT INTO customers (name, email, city, note, created_at) VALUES (?, ?, ?, ?, ?)')
  for (let id = 1; id <= ROWS.customers; id += 1) {
    const at = new Date(now.getTime() - random(365 * 86_400) * 1000)
    insert.run(
      `${pick(random, FIRST)} ${pick(random, LAST)}`,
      `customer${id}@shop.example`,
      pick(random, CITIES),
      id % 5 ? null : '',
      at.toISOString(),
    )
  }
}

function addProducts(database: DatabaseSync, random: Random): void {
  const insert = database.prepare('INSERT INTO products (sku, title, price_cents, weight_kg, thumbnail) VALUES (?, ?, ?, ?, ?)')
  for (let id = 1; id <= PRODUCTS; id += 1) {
    const thumbnail = id % 3 ? Uint8Array.from({ length: 200 }, () => random(256)) : null
    insert.run(
      `SKU-${String(id).padStart(5, '0')}`,
      `Thing no. ${id} “${pick(random, LAST)}”`,
      99 + random(20_000),
      id % 7 ? random(5000) / 1000 : 1,
      thumbnail,
    )
  }
}

function addOrder(database: DatabaseSync, random: Random, at: Date): void {
  const { order, line } = statements(database)
  const made = order.run(1 + random(ROWS.customers), pick(random, STATES), at.toISOString()).lastInsertRowid
  for (let n = 1; n <= 1 + (Number(made) % 3); n += 1) line.run(made, n, 1 + random(PRODUCTS), 1 + random(4), 99 + random(20_000))
}

type Statement = ReturnType<DatabaseSync['prepare']>
const prepared = new WeakMap<DatabaseSync, { order: Statement; line: Statement }>()

function statements(database: DatabaseSync): { order: Statement; line: Statement } {
  const made = prepared.get(database) ?? {
    order: database.prepare('INSERT INTO orders (customer_id, status, created_at) VALUES (?, ?, ?)'),
    line: database.prepare('INSERT INTO order_lines VALUES (?, ?, ?, ?, ?)'),
  }
  prepared.set(database, made)
  return made
}

function addEvents(database: DatabaseSync, random: Random, count: number, now: Date): void {
  const insert = database.prepare('INSERT INTO events (kind, subject, detail, created_at) VALUES (?, ?, ?, ?)')
  for (let made = count; made > 0; made -= 1) {
    const at = new Date(now.getTime() - (made - 1) * 20_000)
    insert.run(
      pick(random, KINDS),
      `customer/${1 + random(ROWS.customers)}`,
      random(3) ? JSON.stringify({ ms: random(900), ok: random(50) > 0 }) : null,
      at.toISOString(),
    )
  }
}

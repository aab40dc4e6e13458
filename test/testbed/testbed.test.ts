import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { identity } from './identity.ts'
import { azurite, describeWith, type Minio, minio, mongodb, type Toxiproxy, toxiproxy } from './index.ts'

const gone = (server: { folder: string }, pid: number): boolean => identity(pid) === undefined && !existsSync(server.folder)

const errorOf = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => expect.unreachable('it should have failed'),
    error => error as Error,
  )

describeWith('mongodb', 'MongoDB', () => {
  test('takes documents, comes back with them after a kill, and leaves nothing when stopped', async () => {
    const mongo = await mongodb()
    const pid = mongo.pid()
    const client = new MongoClient(mongo.uri)
    await client.db('shop').collection<{ _id: number }>('orders').insertOne({ _id: 1 })
    await client.close()

    await mongo.kill()
    expect(identity(pid)).toBeUndefined()
    const nobody = new MongoClient(mongo.uri, { serverSelectionTimeoutMS: 200 })
    await expect(nobody.db('shop').command({ ping: 1 })).rejects.toThrow(/ECONNREFUSED/)
    await nobody.close()

    await mongo.start()
    const again = new MongoClient(mongo.uri)
    expect(await again.db('shop').collection('orders').countDocuments()).toBe(1)
    await again.close()
    const later = mongo.pid()
    await mongo.stop()
    expect(gone(mongo, later)).toBe(true)
  })

  test('lets in only the user it was started with, and keeps the password off the process list', async () => {
    const auth = { user: 'root', password: 'a b%"c' }
    const mongo = await mongodb({ auth })
    try {
      expect(mongo.uri).not.toContain('root')
      const login = async (password: string): Promise<unknown> => {
        const client = new MongoClient(mongo.uri, { auth: { username: auth.user, password }, authSource: 'admin', serverSelectionTimeoutMS: 2_000 })
        try {
          return await client.db('shop').collection('orders').insertOne({})
        } finally {
          await client.close()
        }
      }
      await login(auth.password)
      await expect(login('wrong')).rejects.toThrow(/[Aa]uthentication failed/)
      const { stdout } = await promisify(execFile)('ps', ['-o', 'args=', '-p', String(mongo.pid())])
      expect(stdout).toMatch(/mongo|ferret/)
      expect(stdout).not.toContain(auth.password)
    } finally {
      await mongo.stop()
    }
  })
})

describeWith(['mongodb', 'mongodb-tools'], 'the MongoDB tools', () => {
  test('dump a collection and bring it back with its index', async () => {
    const mongo = await mongodb()
    const client = new MongoClient(mongo.uri)
    try {
      const orders = client.db('shop').collection('orders')
      await orders.insertMany([{ number: 1 }, { number: 2 }])
      await orders.createIndex({ number: 1 }, { unique: true })
      const archive = join(mongo.folder, 'archive')
      await promisify(execFile)('mongodump', [`--uri=${mongo.uri}`, '--db=shop', `--archive=${archive}`])
      await client.db('shop').dropDatabase()
      await promisify(execFile)('mongorestore', [`--uri=${mongo.uri}`, `--archive=${archive}`])
      expect(await orders.countDocuments()).toBe(2)
      await expect(orders.insertOne({ number: 1 })).rejects.toThrow(/duplicate key|E11000/)
    } finally {
      await client.close()
      await mongo.stop()
    }
  })
})

describeWith('s3', 'S3', () => {
  let s3: Minio
  beforeAll(async () => {
    s3 = await minio()
  })
  afterAll(() => s3.stop())

  test('keeps an object in a new bucket and refuses to overwrite it when told so', async () => {
    const credentials = { accessKeyId: s3.accessKey, secretAccessKey: s3.secretKey }
    const client = new S3Client({ endpoint: s3.endpoint, region: s3.region, forcePathStyle: true, credentials })
    const Bucket = await s3.bucket('backups')
    await client.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'bytes' }))
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: 'a' }))
    expect(await Body?.transformToString()).toBe('bytes')
    const twice = await errorOf(client.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'other', IfNoneMatch: '*' })))
    expect(twice.name).toBe('PreconditionFailed')
    client.destroy()
  })
})

describeWith('azure', 'Azure Blob', () => {
  test('keeps a blob in a new container, refuses to overwrite it when told so, and leaves nothing when stopped', async () => {
    const azure = await azurite()
    const pid = azure.pid()
    const client = new BlobServiceClient(azure.endpoint, new StorageSharedKeyCredential(azure.account, azure.key))
    const blob = client.getContainerClient(await azure.container('backups')).getBlockBlobClient('a')
    await blob.upload('bytes', 5)
    expect((await blob.downloadToBuffer()).toString()).toBe('bytes')
    const twice = await errorOf(blob.upload('other', 5, { conditions: { ifNoneMatch: '*' } }))
    expect(twice).toMatchObject({ statusCode: 409, code: 'BlobAlreadyExists' })
    await azure.stop()
    expect(gone(azure, pid)).toBe(true)
  })
})

describeWith('toxiproxy', 'the fault-injecting proxy', () => {
  let proxy: Toxiproxy
  const upstream = createServer(socket => socket.end('x'.repeat(1_000)))
  beforeAll(async () => {
    proxy = await toxiproxy()
    await new Promise<void>(resolve => upstream.listen(0, '127.0.0.1', resolve))
  })
  afterAll(async () => {
    await proxy.stop()
    upstream.close()
  })

  test('cuts an answer short, lets it through again, and goes down and up on the same port', async () => {
    const { port } = upstream.address() as { port: number }
    const way = await proxy.through(`127.0.0.1:${port}`)
    const answer = async (): Promise<number> => {
      let bytes = 0
      for await (const chunk of connect(way.port, '127.0.0.1')) bytes += chunk.length
      return bytes
    }
    expect(await answer()).toBe(1_000)
    await way.toxic('limit_data', { bytes: 10 })
    expect(await answer()).toBe(10)
    await way.clear()
    expect(await answer()).toBe(1_000)
    await way.down()
    await expect(answer()).rejects.toThrow(/ECONNREFUSED/)
    await way.up()
    expect(await answer()).toBe(1_000)
  })

  test('a wanted port that is in use is named', async () => {
    await expect(toxiproxy({ port: proxy.port })).rejects.toThrow(`toxiproxy: port ${proxy.port} on 127.0.0.1 is in use`)
  })

  test('an unknown fault is refused with the reason', async () => {
    const way = await proxy.through('127.0.0.1:1')
    await expect(way.toxic('gremlin')).rejects.toThrow(/invalid toxic type/)
  })
})

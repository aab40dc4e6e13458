import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Recorder, recorder } from '../notify/recorder.ts'
import { type Azurite, azurite, type Docker, describeWith, docker, type Mongo, mongodb } from '../testbed/index.ts'
import { AUTH, addressed, damageMongo, fillFiles, fillMongo, lookFiles, lookMongo, standIn } from './data.ts'
import { newSite, type Site } from './site.ts'
import { story } from './story.ts'

const DATABASE = 'agence_immobiliere'
const COLLECTIONS = ['annonces', 'agents'] as const

describeWith(
  ['mongodb', 'mongodb-tools', 'azure', 'zstd', 'docker'],
  `immo-express: ${standIn()} and photos, for two keys, on Azure Blob (Azurite)`,
  () => {
    let mongo: Mongo
    let store: Azurite
    let engine: Docker
    let hooks: Recorder
    let site: Site
    const photos = () => join(site.world.folder, 'uploads')
    const keyFile = () => join(site.world.folder, 'vault.key')

    beforeAll(async () => {
      ;[mongo, store, hooks, engine] = await Promise.all([mongodb({ auth: AUTH }), azurite(), recorder(), docker()])
      const keys = await Promise.all([generateX25519Identity(), generateX25519Identity()])
      const [ops = '', vault = ''] = await Promise.all(keys.map(identityToRecipient))
      site = newSite({
        stack: 'immo-express',
        environment: 'production',
        replace: { 'azureBlob({': `azureBlob({ endpoint: '${store.endpoint}',` },
        // The channels for mail and PagerDuty stay unset.
        settings: {
          MONGODB_URI: example => addressed(example, mongo),
          UPLOADS_DIRECTORY: (_, folder) => join(folder, 'uploads'),
          AZURE_STORAGE_ACCOUNT: store.account,
          AZURE_STORAGE_CONTAINER: await store.container('immoexpress-backups'),
          AZURE_STORAGE_KEY: store.key,
          AGE_RECIPIENT_OPS: ops,
          AGE_RECIPIENT_VAULT: vault,
          SLACK_WEBHOOK_URL: `${hooks.url}/slack`,
          DISCORD_WEBHOOK_URL: `${hooks.url}/discord`,
        },
        // Nothing is deployed there; a restore looks for what writes.
        env: { DOCKER_HOST: engine.address },
      })
      writeFileSync(keyFile(), `${keys[1]}\n`, { mode: 0o600 })
      await fillMongo(mongo, DATABASE, COLLECTIONS)
      fillFiles(photos())
    })
    afterAll(async () => {
      site?.end()
      await Promise.all([mongo?.stop(), store?.stop(), hooks?.end(), engine?.stop()])
    })

    const played = () => ({
      site,
      look: async () => ({ database: await lookMongo(mongo, DATABASE), media: lookFiles(photos()) }),
      async damage() {
        await damageMongo(mongo, DATABASE, COLLECTIONS)
        rmSync(join(photos(), 'annonce 1'), { recursive: true })
        writeFileSync(join(photos(), 'later.jpg'), 'made after the backup')
      },
    })
    story(played, { protected: true, restore: ['--writers-stopped=STOPPED'], key: () => [`--identity=${keyFile()}`] })

    test('is not drilled without a key; Slack and Discord hear of that, and the channels that are not set up are a warning', async () => {
      const before = hooks.requests.length
      const ran = await site.run('restore-drill', '--yes')
      expect(ran.exit).toBe(3)
      expect(ran.stderr).toContain('--identity')
      const told = hooks.requests.slice(before).map(({ path }) => path)
      expect(told.sort()).toEqual(['/discord', '/slack'])
      expect(ran.stderr).toMatch(/email could not be told: .*SMTP_URL is not set/)
      expect(ran.stderr).toMatch(/pagerduty could not be told: .*PAGERDUTY_KEY is not set/)
    })
  },
)

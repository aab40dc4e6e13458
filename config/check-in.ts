import {
  composed,
  deadman,
  defineStack,
  email,
  env,
  from,
  frozen,
  http,
  kubernetes,
  mongodb,
  ownAccount,
  random,
  registryLogin,
  s3,
  secret,
  slack,
} from 'runbooks'

const bucket = () =>
  s3({
    bucket: env('S3_BUCKET'),
    prefix: 'mongodb',
    region: env('AWS_REGION'),
    accessKeyId: secret('AWS_ACCESS_KEY_ID'),
    secretAccessKey: secret('AWS_SECRET_ACCESS_KEY'),
  })

/** Where it runs: a namespace of its own in each cluster, entered with the text of a kubeconfig that its administrator gave. */
const platform = (environment: 'staging' | 'production', cluster: string, door: string) =>
  kubernetes({
    cluster,
    namespace: `checkin-${environment}`,
    overlay: `k8s/check-in/${environment}`,
    kubeconfig: secret('KUBE_CONFIG'),
    door,
    workloads: { mongodb: 'statefulset/mongodb' },
  })

const freeze = [frozen({ whenSet: 'EVENT_DAY_FREEZE', why: 'event day' })]

/** The replica set inside the cluster, as the application's user that mongodb-init makes. */
const uri = composed(
  'mongodb://checkin:{mongodb-secrets/MONGO_APP_PASSWORD}@mongodb-0.mongodb:27017,mongodb-1.mongodb:27017,mongodb-2.mongodb:27017/checkin?replicaSet=rs0&authSource=admin',
)

/** One member, as its own pods see it, as the user of backups that mongodb-init makes. */
const uriOfBackups = composed('mongodb://runbooks:{mongodb-secrets/MONGO_RUNBOOKS_PASSWORD}@mongodb-0.mongodb:27017/checkin?authSource=admin')

/** Event check-in on Kubernetes: a MongoDB replica set, backed up to S3. */
export default defineStack({
  name: 'check-in',
  timezone: 'Europe/Paris',
  services: {
    backend: { image: 'ghcr.io/check-in/backend', port: 3001, health: '/api/v1/health', traffic: 'split', twice: 'allowed' },
    frontend: { image: 'ghcr.io/check-in/frontend', port: 3000, health: '/', traffic: 'split', twice: 'allowed' },
  },
  deploy: {
    smoke: [http('/api/v1/health', { status: 200, within: '2s' }), http('/', { status: 200, within: '2s' })],
    bake: '1min',
    budget: '5min',
    // The Redis that stands in is in the overlay, beside the real one.
    rehearse: { MONGODB_URI: 'database', REDIS_HOST: { value: 'rehearsal-redis' } },
  },
  data: {
    // The tools run in a pod of the set and stream out; the address is that of one member, as seen from there: a restore needs the primary's.
    // A dump with --oplog covers the whole server and cannot be loaded beside; one database without it can.
    database: mongodb({ in: 'mongodb', uri: secret('MONGODB_URI'), databases: ['checkin'] }),
  },
  backups: { objectives: { dataLoss: '6h', recovery: '30min' }, keep: { days: 30, weekly: 8 } },
  schedules: [
    { runbook: 'backup', cron: '0 */6 * * *' },
    { runbook: 'restore-drill', cron: '30 4 * * *' },
  ],
  setup: {
    secrets: {
      'mongodb-secrets': {
        MONGO_ROOT_USERNAME: 'root',
        MONGO_ROOT_PASSWORD: random(32),
        MONGO_APP_PASSWORD: random(32),
        MONGO_RUNBOOKS_PASSWORD: random(32),
        // mongod takes up to 1024 characters of base64.
        keyfile: random(756, 'base64'),
      },
      'checkin-secrets': { MONGODB_URI: uri, JWT_SECRET: random(48), REDIS_PASSWORD: random(32) },
      registry: registryLogin({ server: 'ghcr.io', username: env('REGISTRY_USERNAME'), password: secret('REGISTRY_TOKEN'), optional: true }),
      // What a CronJob of schedule.ts is given.
      'check-in-runbooks': {
        KUBE_CONFIG: ownAccount(),
        MONGODB_URI: uriOfBackups,
        S3_BUCKET: from(env('S3_BUCKET')),
        AWS_REGION: from(env('AWS_REGION')),
        AWS_ACCESS_KEY_ID: from(secret('AWS_ACCESS_KEY_ID')),
        AWS_SECRET_ACCESS_KEY: from(secret('AWS_SECRET_ACCESS_KEY')),
        SLACK_WEBHOOK_URL: from(secret('SLACK_WEBHOOK_URL'), { optional: true }),
        SMTP_URL: from(secret('SMTP_URL'), { optional: true }),
        ALERT_EMAIL: from(env('ALERT_EMAIL'), { optional: true }),
        BACKUP_PING_URL: from(secret('BACKUP_PING_URL'), { optional: true }),
      },
    },
    configMaps: { 'check-in-runbooks': { 'check-in.ts': { file: 'check-in.ts' }, 'package.json': '{"type":"module"}' } },
  },
  environments: {
    staging: {
      platform: platform('staging', 'https://staging.k8s.example:6443', 'https://staging.checkin.example.com'),
      freeze,
      stores: [bucket()],
      notify: [slack({ webhook: secret('SLACK_WEBHOOK_URL'), on: ['failed'] })],
    },
    production: {
      protected: true,
      approvals: 1,
      platform: platform('production', 'https://production.k8s.example:6443', 'https://checkin.example.com'),
      freeze,
      stores: [bucket()],
      notify: [
        slack({ webhook: secret('SLACK_WEBHOOK_URL'), on: ['done', 'failed', 'recovered'] }),
        email({ smtp: secret('SMTP_URL'), to: env('ALERT_EMAIL'), on: ['failed', 'stale'] }),
        deadman({ url: secret('BACKUP_PING_URL') }),
      ],
    },
  },
})

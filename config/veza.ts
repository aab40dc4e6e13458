import {
  certificate,
  composed,
  defineStack,
  env,
  from,
  http,
  kubernetes,
  ownAccount,
  postgres,
  random,
  redis,
  registryLogin,
  s3,
  secret,
  slack,
} from 'runbooks'

const bucket = () =>
  s3({
    bucket: env('S3_BUCKET'),
    prefix: 'backups',
    region: env('AWS_REGION'),
    accessKeyId: secret('AWS_ACCESS_KEY_ID'),
    secretAccessKey: secret('AWS_SECRET_ACCESS_KEY'),
  })

/** Where it runs: a namespace of its own in each cluster, entered with the text of a kubeconfig that its administrator gave. */
const platform = (environment: 'staging' | 'production', cluster: string, door: string) =>
  kubernetes({
    cluster,
    namespace: `veza-${environment}`,
    overlay: `k8s/veza/${environment}`,
    kubeconfig: secret('KUBE_CONFIG'),
    door,
    workloads: {
      'backend-api': 'deployment/veza-backend-api',
      'chat-server': 'deployment/veza-chat-server',
      'stream-server': 'deployment/veza-stream-server',
      postgres: 'statefulset/postgres',
      redis: 'statefulset/redis',
    },
  })

/** Music platform on Kubernetes: PostgreSQL and Redis; a backup before each production deploy, and every night. */
export default defineStack({
  name: 'veza',
  timezone: 'Europe/Paris',
  services: {
    'backend-api': { image: 'ghcr.io/veza/backend-api', port: 8080, health: '/ready', door: '/health', traffic: 'split', twice: 'allowed' },
    // Behind front doors of their own, at which this stack's smoke tests do not ask.
    'chat-server': { image: 'ghcr.io/veza/chat-server', port: 8081, health: '/ready', traffic: 'none', twice: 'allowed' },
    'stream-server': { image: 'ghcr.io/veza/stream-server', port: 8082, health: '/ready', traffic: 'none', twice: 'allowed' },
  },
  deploy: {
    smoke: [http('/health', { status: 200, within: '2s' }), http('/ready', { status: 200, within: '2s' })],
    bake: '1min',
    budget: '5min',
    versions: '^v\\d+\\.\\d+\\.\\d+$',
    // The Redis that stands in is in the overlay, beside the real one.
    rehearse: { DB_NAME: 'database', REDIS_HOST: { value: 'rehearsal-redis', insteadOf: 'cache' } },
  },
  // The tools run in the pods of the databases and stream out; addresses are as seen from there.
  data: {
    database: postgres({ in: 'postgres', url: secret('DATABASE_URL'), database: env('DB_NAME') }),
    cache: redis({ in: 'redis', url: secret('REDIS_URL') }),
  },
  backups: { objectives: { dataLoss: '24h', recovery: '30min' }, keep: { days: 14, weekly: 4, monthly: 6 } },
  schedules: [
    { runbook: 'backup', cron: '30 1 * * *' },
    { runbook: 'restore-drill', cron: '0 4 * * 1' },
  ],
  setup: {
    secrets: {
      'veza-secrets': {
        DB_PASSWORD: random(32),
        REDIS_PASSWORD: random(32),
        JWT_SECRET_KEY: random(48),
        AWS_ACCESS_KEY_ID: from(secret('APP_AWS_ACCESS_KEY_ID')),
        AWS_SECRET_ACCESS_KEY: from(secret('APP_AWS_SECRET_ACCESS_KEY')),
        GOOGLE_CLIENT_ID: from(env('GOOGLE_CLIENT_ID'), { optional: true }),
        GOOGLE_CLIENT_SECRET: from(secret('GOOGLE_CLIENT_SECRET'), { optional: true }),
        GITHUB_CLIENT_ID: from(env('GITHUB_CLIENT_ID'), { optional: true }),
        GITHUB_CLIENT_SECRET: from(secret('GITHUB_CLIENT_SECRET'), { optional: true }),
        DISCORD_CLIENT_ID: from(env('DISCORD_CLIENT_ID'), { optional: true }),
        DISCORD_CLIENT_SECRET: from(secret('DISCORD_CLIENT_SECRET'), { optional: true }),
        SMTP_USERNAME: from(env('SMTP_USERNAME'), { optional: true }),
        SMTP_PASSWORD: from(secret('SMTP_PASSWORD'), { optional: true }),
      },
      'postgres-tls': certificate('postgres-service'),
      registry: registryLogin({ server: 'ghcr.io', username: env('REGISTRY_USERNAME'), password: secret('REGISTRY_TOKEN'), optional: true }),
      // What a CronJob of schedule.ts is given.
      'veza-runbooks': {
        KUBE_CONFIG: ownAccount(),
        // As seen inside the databases' own pods, whose policies let them reach nobody.
        DATABASE_URL: composed('postgres://veza_user:{veza-secrets/DB_PASSWORD}@127.0.0.1:5432/postgres?sslmode=require'),
        DB_NAME: from(env('DB_NAME')),
        REDIS_URL: composed('redis://:{veza-secrets/REDIS_PASSWORD}@127.0.0.1:6379'),
        S3_BUCKET: from(env('S3_BUCKET')),
        AWS_REGION: from(env('AWS_REGION')),
        AWS_ACCESS_KEY_ID: from(secret('AWS_ACCESS_KEY_ID')),
        AWS_SECRET_ACCESS_KEY: from(secret('AWS_SECRET_ACCESS_KEY')),
        SLACK_WEBHOOK_URL: from(secret('SLACK_WEBHOOK_URL'), { optional: true }),
      },
    },
    configMaps: { 'veza-runbooks': { 'veza.ts': { file: 'veza.ts' }, 'package.json': '{"type":"module"}' } },
  },
  environments: {
    staging: { platform: platform('staging', 'https://staging.k8s.example:6443', 'https://api.staging.veza.app'), stores: [bucket()] },
    production: {
      protected: true,
      platform: platform('production', 'https://production.k8s.example:6443', 'https://api.veza.app'),
      stores: [bucket()],
      notify: [slack({ webhook: secret('SLACK_WEBHOOK_URL'), on: ['done', 'failed', 'recovered', 'stale'] })],
    },
  },
})

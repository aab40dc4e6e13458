import { compose, defineStack, email, env, http, postgres, redis, s3, secret } from 'runbooks'

/** Where it runs; every environment has a host of its own, with the same layout. */
const platform = compose({
  project: 'ecosyste',
  directory: '/srv/ecosyste',
  files: 'compose/ecosyste',
  door: 'http://127.0.0.1:80',
  registry: { username: env('DOCKERHUB_USERNAME'), password: secret('DOCKERHUB_TOKEN') },
  environment: { DB_USER: env('DB_USER'), DB_NAME: env('DB_NAME') },
  secrets: {
    database_url: secret('DATABASE_URL'),
    redis_url: secret('REDIS_URL'),
    jwt_secret: secret('JWT_SECRET'),
    db_password: secret('DB_PASSWORD'),
  },
})

const stores = [
  s3({
    bucket: env('S3_BUCKET'),
    region: env('AWS_REGION'),
    accessKeyId: secret('AWS_ACCESS_KEY_ID'),
    secretAccessKey: secret('AWS_SECRET_ACCESS_KEY'),
  }),
] as const

/** Social network: PostgreSQL and Redis in one recovery point on S3, daily; Sunday's is kept longer and drilled. */
export default defineStack({
  name: 'ecosyste',
  timezone: 'Europe/Paris',
  services: {
    backend: { image: 'ecosyste/backend', port: 3001, health: '/health', traffic: 'split', twice: 'allowed' },
    frontend: { image: 'ecosyste/frontend', port: 80, health: '/', traffic: 'split', twice: 'allowed' },
  },
  deploy: {
    smoke: [http('/health', { status: 200, within: '2s', service: 'backend' }), http('/', { status: 200, within: '2s', service: 'frontend' })],
    bake: '1min',
    budget: '5min',
    // An application cannot be led to a copy of Redis: compose/ecosyste/rehearsal.yaml has an empty one for it.
    rehearse: { database_url: 'database', redis_url: { value: 'redis://rehearsal-redis:6379', insteadOf: 'cache' } },
  },
  // The databases publish no port, so the tools run inside the services of the platform and stream out.
  data: {
    database: postgres({ in: 'postgres', user: env('DB_USER'), password: secret('DB_PASSWORD'), database: env('DB_NAME') }),
    cache: redis({ in: 'redis' }),
  },
  backups: {
    objectives: { dataLoss: '24h', recovery: '5min' },
    // Every copy is full. Seven days of dailies, and Sunday's, the newest of its week, for eight weeks.
    keep: { days: 7, weekly: 8 },
  },
  schedules: [
    { runbook: 'backup', cron: '0 2 * * 1-6' },
    { runbook: 'backup', cron: '0 1 * * 0', options: ['--label=weekly'] },
    { runbook: 'restore-drill', cron: '30 2 * * 0' },
  ],
  environments: {
    staging: { platform, stores },
    production: {
      protected: true,
      platform,
      stores,
      notify: [email({ smtp: secret('SMTP_URL'), to: env('ALERT_EMAIL'), on: ['failed', 'stale', 'recovered'] })],
    },
  },
})

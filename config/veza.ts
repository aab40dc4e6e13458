import { defineStack, env, postgres, redis, s3, secret, slack } from 'runbooks'

const bucket = () =>
  s3({
    bucket: env('S3_BUCKET'),
    prefix: 'backups',
    region: env('AWS_REGION'),
    accessKeyId: secret('AWS_ACCESS_KEY_ID'),
    secretAccessKey: secret('AWS_SECRET_ACCESS_KEY'),
  })

/** Music platform: PostgreSQL and Redis; a backup before each production deploy, and every night. */
export default defineStack({
  name: 'veza',
  timezone: 'Europe/Paris',
  data: {
    database: postgres({ url: secret('DATABASE_URL'), database: env('DB_NAME') }),
    cache: redis({ url: secret('REDIS_URL') }),
  },
  backups: { objectives: { dataLoss: '24h', recovery: '30min' }, keep: { days: 14, weekly: 4, monthly: 6 } },
  schedules: [
    { runbook: 'backup', cron: '30 1 * * *' },
    { runbook: 'restore-drill', cron: '0 4 * * 1' },
  ],
  environments: {
    staging: { stores: [bucket()] },
    production: {
      protected: true,
      stores: [bucket()],
      notify: [slack({ webhook: secret('SLACK_WEBHOOK_URL'), on: ['done', 'failed', 'recovered', 'stale'] })],
    },
  },
})

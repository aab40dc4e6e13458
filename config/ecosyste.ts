import { defineStack, email, env, postgres, redis, s3, secret } from 'runbooks'

/** The Compose project of the stack; its databases publish no port, so the tools run inside the services and stream out. */
const inService = (service: string) => ({ compose: { project: 'ecosyste', directory: '/srv/ecosyste' }, service })

/** Social network: PostgreSQL and Redis in one recovery point on S3, daily; Sunday's is kept longer and drilled. */
export default defineStack({
  name: 'ecosyste',
  timezone: 'Europe/Paris',
  data: {
    database: postgres({ in: inService('postgres'), user: env('DB_USER'), password: secret('DB_PASSWORD'), database: env('DB_NAME') }),
    cache: redis({ in: inService('redis') }),
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
    production: {
      protected: true,
      stores: [
        s3({
          bucket: env('S3_BUCKET'),
          region: env('AWS_REGION'),
          accessKeyId: secret('AWS_ACCESS_KEY_ID'),
          secretAccessKey: secret('AWS_SECRET_ACCESS_KEY'),
        }),
      ],
      notify: [email({ smtp: secret('SMTP_URL'), to: env('ALERT_EMAIL'), on: ['failed', 'stale', 'recovered'] })],
    },
  },
})

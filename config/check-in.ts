import { deadman, defineStack, email, env, mongodb, s3, secret, slack } from 'runbooks'

const bucket = () =>
  s3({
    bucket: env('S3_BUCKET'),
    prefix: 'mongodb',
    region: env('AWS_REGION'),
    accessKeyId: secret('AWS_ACCESS_KEY_ID'),
    secretAccessKey: secret('AWS_SECRET_ACCESS_KEY'),
  })

/** Event check-in: a MongoDB replica set, backed up to S3. */
export default defineStack({
  name: 'check-in',
  timezone: 'Europe/Paris',
  data: {
    // A dump with --oplog covers the whole server and cannot be loaded beside; one database without it can.
    database: mongodb({ uri: secret('MONGODB_URI'), databases: ['checkin'] }),
  },
  backups: { objectives: { dataLoss: '6h', recovery: '30min' }, keep: { days: 30, weekly: 8 } },
  schedules: [
    { runbook: 'backup', cron: '0 */6 * * *' },
    { runbook: 'restore-drill', cron: '30 4 * * *' },
  ],
  environments: {
    staging: { stores: [bucket()], notify: [slack({ webhook: secret('SLACK_WEBHOOK_URL'), on: ['failed'] })] },
    production: {
      protected: true,
      stores: [bucket()],
      notify: [
        slack({ webhook: secret('SLACK_WEBHOOK_URL'), on: ['done', 'failed', 'recovered'] }),
        email({ smtp: secret('SMTP_URL'), to: env('ALERT_EMAIL'), on: ['failed', 'stale'] }),
        deadman({ url: secret('BACKUP_PING_URL') }),
      ],
    },
  },
})

import { defineStack, discord, env, mongodb, s3, secret } from 'runbooks'

/** Volunteering: MongoDB by URL, backed up to the bucket that the application has already. */
export default defineStack({
  name: 'benevoclic',
  timezone: 'Europe/Paris',
  data: { database: mongodb({ uri: secret('MONGODB_URL'), databases: ['benevoclic'] }) },
  backups: { objectives: { dataLoss: '24h', recovery: '1h' }, keep: { days: 14, monthly: 6 } },
  schedules: [
    { runbook: 'backup', cron: '15 3 * * *' },
    { runbook: 'restore-drill', cron: '0 5 * * 0' },
  ],
  environments: {
    production: {
      protected: true,
      stores: [
        s3({
          bucket: env('AWS_BUCKET_NAME'),
          prefix: 'backups',
          region: env('AWS_REGION'),
          accessKeyId: secret('AWS_ACCESS_KEY_ID'),
          secretAccessKey: secret('AWS_SECRET_ACCESS_KEY'),
        }),
      ],
      notify: [discord({ webhook: secret('DISCORD_WEBHOOK_URL'), on: ['failed', 'recovered', 'stale'] })],
    },
  },
})

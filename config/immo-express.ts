import { age, azureBlob, defineStack, discord, email, env, files, mongodb, pagerduty, secret, slack } from 'runbooks'

/** Property ads: MongoDB and the uploaded photos in one recovery point on Azure Blob, every six hours, kept for thirty days. */
export default defineStack({
  name: 'immo-express',
  timezone: 'Europe/Paris',
  data: {
    database: mongodb({ uri: secret('MONGODB_URI'), databases: ['agence_immobiliere'] }),
    media: files({ directory: env('UPLOADS_DIRECTORY') }),
  },
  backups: {
    objectives: { dataLoss: '6h', recovery: '15min' },
    keep: { days: 30 },
    // The machine that makes the backups holds neither of the two keys.
    encryption: age({ recipients: [env('AGE_RECIPIENT_OPS'), env('AGE_RECIPIENT_VAULT')] }),
  },
  schedules: [
    { runbook: 'backup', cron: '0 */6 * * *' },
    { runbook: 'backup-verify', cron: '30 3 * * 0', options: ['--backup=latest'] },
  ],
  environments: {
    production: {
      protected: true,
      stores: [
        azureBlob({
          account: env('AZURE_STORAGE_ACCOUNT'),
          container: env('AZURE_STORAGE_CONTAINER'),
          key: secret('AZURE_STORAGE_KEY'),
        }),
      ],
      // Severities choose the channels: what can wait goes to Slack, what cannot wakes somebody.
      notify: [
        slack({ webhook: secret('SLACK_WEBHOOK_URL'), on: ['failed', 'recovered', 'shrunk'] }),
        discord({ webhook: secret('DISCORD_WEBHOOK_URL'), on: ['failed', 'recovered'] }),
        email({ smtp: secret('SMTP_URL'), to: env('ALERT_EMAIL'), on: ['failed', 'stale'] }),
        pagerduty({ key: secret('PAGERDUTY_KEY'), on: ['human needed', 'stale'] }),
      ],
    },
  },
})

import { age, azureBlob, compose, defineStack, discord, email, env, files, http, mongodb, pagerduty, secret, slack } from 'runbooks'

/** Where it runs; every environment has a host of its own, with the same layout. */
const platform = compose({
  project: 'immo-express',
  directory: '/srv/immo-express',
  files: 'compose/immo-express',
  door: 'http://127.0.0.1:80',
  environment: { UPLOADS_DIRECTORY: env('UPLOADS_DIRECTORY') },
  secrets: {
    mongodb_uri: secret('APP_MONGODB_URI'),
    mongodb_root_password: secret('MONGODB_ROOT_PASSWORD'),
    mongodb_app_password: secret('MONGODB_APP_PASSWORD'),
    jwt_secret: secret('JWT_SECRET'),
  },
})

const stores = [
  azureBlob({
    account: env('AZURE_STORAGE_ACCOUNT'),
    container: env('AZURE_STORAGE_CONTAINER'),
    key: secret('AZURE_STORAGE_KEY'),
  }),
] as const

/** Property ads: MongoDB and the uploaded photos in one recovery point on Azure Blob, every six hours, kept for thirty days. */
export default defineStack({
  name: 'immo-express',
  timezone: 'Europe/Paris',
  services: {
    backend: { image: 'immoexpress-backend', port: 5000, health: '/health', traffic: 'split', twice: 'allowed' },
    frontend: { image: 'immoexpress-frontend', port: 3000, health: '/', traffic: 'split', twice: 'allowed' },
  },
  deploy: {
    smoke: [http('/health', { status: 200, within: '2s' }), http('/', { status: 200, within: '2s' })],
    bake: '1min',
    budget: '5min',
    imageSize: '200MB',
  },
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
    staging: { platform, stores },
    production: {
      protected: true,
      // An administrator agrees to every deploy.
      approvals: 1,
      platform,
      stores,
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

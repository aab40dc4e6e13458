import { compose, defineStack, discord, env, http, mongodb, s3, secret } from 'runbooks'

/** Volunteering, on one VPS by ssh: MongoDB by URL, backed up to the bucket that the application has already. */
export default defineStack({
  name: 'benevoclic',
  timezone: 'Europe/Paris',
  services: {
    'benevoclic-api': { image: 'benevoclic/benevoclic-api', port: 3000, health: '/health', traffic: 'split', twice: 'allowed' },
  },
  // New configuration is checked in the service's own image, applied by reload, and proven by what the service then says.
  configured: {
    prometheus: {
      file: 'monitoring.yaml',
      folder: 'prometheus',
      check: ['promtool', 'check', 'config', '/etc/prometheus/prometheus.yml'],
      apply: 'HUP',
      proof: { kind: 'prometheus', port: 9090, file: 'prometheus/prometheus.yml' },
    },
    alertmanager: {
      file: 'monitoring.yaml',
      folder: 'alertmanager',
      check: ['amtool', 'check-config', '/etc/alertmanager/alertmanager.yml'],
      apply: 'HUP',
      secrets: { discord_webhook_url: secret('DISCORD_WEBHOOK_URL') },
      proof: { kind: 'alertmanager', port: 9093, file: 'alertmanager/alertmanager.yml' },
    },
    grafana: {
      file: 'monitoring.yaml',
      folder: 'grafana',
      apply: 'restart',
      secrets: { grafana_admin_password: secret('GRAFANA_ADMIN_PASSWORD') },
      proof: { kind: 'grafana', port: 3001, boards: 'grafana/dashboards', password: 'grafana_admin_password' },
    },
    'node-exporter': {
      file: 'monitoring.yaml',
      proof: { kind: 'http', port: 9100, path: '/metrics', contains: 'node_exporter_build_info' },
    },
  },
  deploy: { smoke: [http('/health', { status: 200, within: '2s' })], bake: '30s', budget: '3min' },
  data: { database: mongodb({ uri: secret('MONGODB_URL'), databases: ['benevoclic'] }) },
  backups: { objectives: { dataLoss: '24h', recovery: '1h' }, keep: { days: 14, monthly: 6 } },
  schedules: [
    { runbook: 'backup', cron: '15 3 * * *' },
    { runbook: 'restore-drill', cron: '0 5 * * 0' },
  ],
  environments: {
    production: {
      protected: true,
      platform: compose({
        host: env('VPS_HOST'),
        user: env('VPS_USERNAME'),
        key: secret('OVH_SSH_KEY'),
        knownHosts: env('VPS_KNOWN_HOSTS'),
        project: 'benevoclic',
        directory: '/srv/benevoclic',
        files: 'compose/benevoclic',
        door: 'http://127.0.0.1:80',
        registry: { username: env('DOCKERHUB_USERNAME'), password: secret('DOCKERHUB_TOKEN') },
        environment: {
          MONGODB_DB_NAME: env('MONGODB_DB_NAME'),
          FIREBASE_PROJECT_ID: env('FIREBASE_PROJECT_ID'),
          AWS_BUCKET_NAME: env('AWS_BUCKET_NAME'),
          AWS_REGION: env('AWS_REGION'),
        },
        secrets: {
          mongodb_url: secret('MONGODB_URL'),
          firebase_client_email: secret('FIREBASE_CLIENT_EMAIL'),
          firebase_private_key: secret('FIREBASE_PRIVATE_KEY'),
          firebase_api_key: secret('FIREBASE_API_KEY'),
          aws_access_key_id: secret('AWS_ACCESS_KEY_ID'),
          aws_secret_access_key: secret('AWS_SECRET_ACCESS_KEY'),
        },
      }),
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

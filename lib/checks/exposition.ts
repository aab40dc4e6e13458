import type { Finding } from './check.ts'

/** The metrics of findings with their help texts; all are gauges with the labels stack, environment, check and kind. */
const METRICS = {
  runbooks_check_healthy: '1 is healthy, 0 is unhealthy; absent when it could not be looked at.',
  runbooks_check_known: '1 when it could be looked at, 0 when not.',
  runbooks_check_duration_seconds: 'How long the look took.',
  runbooks_check_measured: 'A figure of the look; the label figure has its name and unit.',
} as const

type Sample = { readonly metric: keyof typeof METRICS; readonly labels: Readonly<Record<string, string>>; readonly value: number }

/** Findings in the text format of Prometheus, for node-exporter's textfile collector: https://prometheus.io/docs/instrumenting/exposition_formats/ */
export function exposition(findings: readonly Finding[], { stack, environment }: { readonly stack: string; readonly environment: string }): string {
  const samples = findings.flatMap(finding => samplesOf(finding, { stack, environment, check: finding.name, kind: finding.kind }))
  return Object.entries(METRICS)
    .flatMap(([metric, help]) => {
      const lines = samples.filter(sample => sample.metric === metric).map(({ labels, value }) => `${metric}${labelled(labels)} ${value}`)
      return lines.length > 0 ? [`# HELP ${metric} ${help}`, `# TYPE ${metric} gauge`, ...lines] : []
    })
    .map(line => `${line}\n`)
    .join('')
}

function samplesOf({ is, tookMs, measured }: Finding, labels: Sample['labels']): Sample[] {
  const figures = measured !== null && typeof measured === 'object' && !Array.isArray(measured) ? Object.entries(measured) : []
  return [
    ...(is === 'unknown' ? [] : [{ metric: 'runbooks_check_healthy' as const, labels, value: Number(is === 'healthy') }]),
    { metric: 'runbooks_check_known', labels, value: Number(is !== 'unknown') },
    { metric: 'runbooks_check_duration_seconds', labels, value: tookMs / 1000 },
    ...figures.flatMap(([figure, value]) =>
      typeof value === 'number' && Number.isFinite(value)
        ? [{ metric: 'runbooks_check_measured' as const, labels: { ...labels, figure }, value }]
        : [],
    ),
  ]
}

function labelled(labels: Sample['labels']): string {
  const escaped = (value: string) => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',')}}`
}

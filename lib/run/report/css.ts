/** The whole style of a report: light, dark and on paper; no font, image or script comes from elsewhere. */
export const CSS = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #1a2230; --soft: #5c6879; --line: #dfe4ea; --code: #f1f3f6;
  --step: #3b7dd8; --commit: #1d4f9c; --undo: #8a4fc7; --bad: #c8322b; --warn: #b46a00; --good: #1b7f47; --stopped: #8b95a3;
  --gap: rgba(200, 50, 43, 0.09); --hatch: #9aa5b4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f141b; --card: #171e28; --ink: #e4e9f0; --soft: #97a3b4; --line: #2a3442; --code: #0f151d;
    --step: #5b9bf0; --commit: #8fbcff; --undo: #b78cf0; --bad: #f0645c; --warn: #e3a13c; --good: #45bf7d; --stopped: #6d7887;
    --gap: rgba(240, 100, 92, 0.13); --hatch: #5c6879;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 56px; }
h1 { font-size: 26px; line-height: 1.25; margin: 10px 0 4px; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 13px; font-weight: 650; margin: 0 0 14px; color: var(--soft); text-transform: uppercase; letter-spacing: 0.06em; }
section, header { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 20px 24px; margin: 0 0 16px; }
header { border-top: 5px solid var(--tone); }
.good { --tone: var(--good); } .bad { --tone: var(--bad); } .warn { --tone: var(--warn); } .undo { --tone: var(--undo); } .stopped { --tone: var(--stopped); }
.word { display: inline-block; background: var(--tone); color: var(--card); font-weight: 700; font-size: 13px; letter-spacing: 0.05em; padding: 3px 10px; border-radius: 5px; }
.soft { color: var(--soft); } .tone { color: var(--tone); font-weight: 600; }
.where { color: var(--soft); margin-left: 10px; }
dl { display: grid; grid-template-columns: 88px minmax(0, 1fr); gap: 8px 16px; margin: 18px 0 0; }
dt { color: var(--soft); font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; } dd p { margin: 0 0 4px; }
code, pre { font: 13px/1.5 ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace; }
pre { background: var(--code); border: 1px solid var(--line); border-radius: 6px; margin: 0 0 6px; padding: 7px 11px; white-space: pre-wrap; overflow-wrap: anywhere; }
pre.copy { user-select: all; -webkit-user-select: all; cursor: copy; }
pre.error { border-left: 3px solid var(--bad); }
.chart { position: relative; }
.row { display: grid; grid-template-columns: 230px minmax(0, 1fr); gap: 14px; align-items: center; min-height: 30px; position: relative; }
.row .track { align-self: stretch; height: auto; min-height: 30px; }
.label { line-height: 1.25; padding: 3px 0; overflow-wrap: anywhere; }
.in .label { padding-left: 16px; }
.group { font-weight: 600; color: var(--soft); min-height: 28px; }
.track { position: relative; height: 30px; background-image: linear-gradient(var(--line), var(--line)); background-size: 100% 1px; background-position: 0 100%; background-repeat: no-repeat; }
.tick { position: absolute; top: 0; bottom: 0; border-left: 1px dashed var(--line); }
.axis .tick { border-left-style: solid; color: var(--soft); font-size: 12px; padding-left: 5px; white-space: nowrap; line-height: 22px; }
.bar { position: absolute; top: 7px; height: 16px; min-width: 4px; border-radius: 3px; background: var(--step); }
.bar.commit { background: var(--commit); } .bar.undo { background: var(--undo); } .bar.failed { background: var(--bad); } .bar.warned { background: var(--warn); }
.bar.stopped { background: var(--stopped); }
.bar.open { background: linear-gradient(90deg, var(--step), transparent); }
.bar.gate { border: 1px solid var(--hatch); background: repeating-linear-gradient(-45deg, var(--hatch) 0 3px, transparent 3px 7px); }
.bar.undo.failed { background: repeating-linear-gradient(-45deg, var(--undo) 0 5px, var(--bad) 5px 10px); }
.gap { position: absolute; top: 0; bottom: 0; background: var(--gap); border-left: 2px solid var(--bad); }
.length { position: absolute; top: 4px; font-size: 12px; line-height: 22px; color: var(--soft); white-space: nowrap; padding: 0 6px; font-variant-numeric: tabular-nums; }
.bar em { display: block; padding: 0 7px; color: var(--card); font-size: 12px; font-style: normal; line-height: 16px; white-space: nowrap; }
.bar.gate em, .bar.open em { color: var(--ink); }
.legend { display: flex; flex-wrap: wrap; gap: 6px 20px; margin: 14px 0 0; color: var(--soft); font-size: 13px; }
.legend .key { position: static; display: inline-block; width: 20px; height: 11px; min-width: 0; margin-right: 7px; vertical-align: -1px; }
.legend .gap.key { border-left-width: 2px; }
.door svg { display: block; width: 100%; height: 130px; border-bottom: 1px solid var(--line); }
.answers { fill: var(--step); background: var(--step); } .lost { fill: var(--bad); background: var(--bad); }
.slowest { fill: none; stroke: var(--warn); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.legend .key.slowest { height: 2px; background: var(--warn); vertical-align: 3px; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; color: var(--soft); font-weight: 600; font-size: 13px; padding: 0 10px 7px 0; border-bottom: 1px solid var(--line); }
td { padding: 9px 10px 9px 0; border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
tbody:first-of-type td { border-top: 0; }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.i { color: var(--soft); width: 34px; font-variant-numeric: tabular-nums; }
td.r { width: 130px; }
tr.more td { border-top: 0; padding-top: 0; } tr.more p { margin: 0 0 6px; }
.facts { grid-template-columns: 130px minmax(0, 1fr); margin: 0; }
footer { color: var(--soft); font-size: 13px; padding: 4px 2px; }
@media (max-width: 680px) {
  main { padding: 12px 10px 32px; } section, header { padding: 16px; }
  .row { grid-template-columns: minmax(0, 1fr); gap: 0; } .axis .label:empty { display: none; }
  dl, .facts { grid-template-columns: minmax(0, 1fr); gap: 2px; } dd { margin-bottom: 8px; }
  .group .track { display: none; } td.r { width: auto; white-space: nowrap; }
}
@media print {
  :root {
    color-scheme: light;
    --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #ccc; --code: #f5f5f5;
    --step: #3b7dd8; --commit: #1d4f9c; --undo: #8a4fc7; --bad: #c8322b; --warn: #b46a00; --good: #1b7f47; --stopped: #8b95a3; --hatch: #888;
  }
  @page { margin: 14mm; }
  body { font-size: 10.5pt; } main { max-width: none; padding: 0; }
  section, header { border-radius: 0; border-left: 0; border-right: 0; border-bottom: 0; padding: 10px 0; margin: 0 0 6px; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h2, thead { break-after: avoid; } .row, tr, pre { break-inside: avoid; } tbody { break-inside: avoid; }
  pre { font-size: 9pt; }
}
`

/** `LATENCY`: what took long, and how long commands take. */
import {
  writeArrayHeader,
  writeBulkText,
  writeInteger,
  writeMapHeader,
  writeVerbatim,
} from '../../resp/index.ts';
import type { Call } from '../call.ts';
import type { Command, CommandSpec } from '../command.ts';
import type { LatencySample, LatencySeries } from '../latency-monitor.ts';
import { sparkline } from '../sparkline.ts';
import { container, subcommandsWith } from './container.ts';

const group = 'server';

function latest(call: Call): void {
  const all = call.node.latency.all();
  writeArrayHeader(call.out, all.length);
  for (const { event, samples, maxMs } of all) {
    const last = samples[samples.length - 1];
    writeArrayHeader(call.out, 4);
    writeBulkText(call.out, event);
    writeInteger(call.out, last.atSeconds);
    writeInteger(call.out, last.latencyMs);
    writeInteger(call.out, maxMs);
  }
}

function history(call: Call): void {
  const samples = call.node.latency.series(call.text(2))?.samples ?? [];
  writeArrayHeader(call.out, samples.length);
  for (const { atSeconds, latencyMs } of samples) {
    writeArrayHeader(call.out, 2);
    writeInteger(call.out, atSeconds);
    writeInteger(call.out, latencyMs);
  }
}

function reset(call: Call): void {
  const events = Array.from({ length: call.count - 2 }, (_, index) => call.text(index + 2));
  writeInteger(call.out, call.node.latency.reset(events));
}

const RULE = '-'.repeat(80);

function graph(call: Call): void {
  const series = call.node.latency.series(call.text(2));
  if (series === undefined) {
    call.fail(`ERR No samples available for event '${call.quoted(2)}'`);
    return;
  }
  const { event, samples, maxMs } = series;
  const values = samples.map(({ latencyMs }) => latencyMs);
  const nowSeconds = Math.floor(call.nowMs / 1000);
  const title =
    `${event} - high ${Math.max(...values)} ms, low ${Math.min(...values)} ms ` +
    `(all time high ${maxMs} ms)`;
  const lines = sparkline(
    samples.map(({ atSeconds, latencyMs }) => ({
      value: latencyMs,
      label: age(nowSeconds - atSeconds),
    })),
  );
  writeVerbatim(call.out, 'txt', `${title}\n${RULE}\n${lines}`, call.version);
}

function age(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

const ADVICE: Readonly<Record<LatencySeries['event'], string>> = {
  command:
    'See SLOWLOG GET for the commands themselves: large values, MGET or DEL of many keys, ' +
    'patterns with many stars.',
  'fast-command':
    'Commands that do little have taken long: the process was kept from running. Look for other ' +
    'load on its core, swapping, and a host that overcommits.',
  'expire-cycle':
    'A turn of removing expired keys has taken long; many keys that expire together make many ' +
    'such turns. Spread their deadlines.',
  'eviction-cycle':
    'A turn of evicting down to a lowered limit has taken long; lower maxmemory in smaller steps.',
};

function doctor(call: Call): void {
  const { latency, settings } = call.node;
  writeVerbatim(
    call.out,
    'txt',
    settings.latencyThresholdMs === 0
      ? 'Latency events are not recorded. To record what takes some milliseconds or longer: ' +
          'CONFIG SET latency-monitor-threshold <milliseconds>.\n'
      : diagnosis(latency.all()),
    call.version,
  );
}

function diagnosis(all: readonly LatencySeries[]): string {
  if (all.length === 0) return 'Nothing has taken as long as latency-monitor-threshold.\n';
  const findings = all.map((series, index) => {
    const mean = meanOf(series.samples);
    const deviation = meanOf(
      series.samples.map((sample) => ({
        ...sample,
        latencyMs: Math.abs(sample.latencyMs - mean),
      })),
    );
    return (
      `${index + 1}. ${series.event}: ${series.samples.length} latency spikes (average ` +
      `${Math.round(mean)}ms, mean deviation ${Math.round(deviation)}ms). ` +
      `Worst all time event ${series.maxMs}ms.\n   ${ADVICE[series.event]}\n`
    );
  });
  return findings.join('');
}

function meanOf(samples: readonly LatencySample[]): number {
  return samples.reduce((sum, { latencyMs }) => sum + latencyMs, 0) / samples.length;
}

/** One call in a few is timed, so its counts are those of the timed calls, brought up to all. */
function histogram(call: Call): void {
  const asked = new Set<string>();
  for (let i = 2; i < call.count; i++) asked.add(call.word(i));
  const timed = call.node.table
    .all()
    .filter(({ timings }) => timings.count > 0)
    .filter((command) => asked.size === 0 || isAsked(command, asked));
  const { out, version } = call;
  writeMapHeader(out, timed.length, version);
  for (const { fullName, calls, timings } of timed) {
    const octaves = timings.octaves();
    writeBulkText(out, fullName);
    writeMapHeader(out, 2, version);
    writeBulkText(out, 'calls');
    writeInteger(out, calls);
    writeBulkText(out, 'histogram_usec');
    writeMapHeader(out, octaves.length, version);
    for (const { upToUs, count } of octaves) {
      writeInteger(out, upToUs);
      writeInteger(out, Math.round((count * calls) / timings.count));
    }
  }
}

function isAsked(command: Command, asked: ReadonlySet<string>): boolean {
  return asked.has(command.fullName) || asked.has(command.fullName.split('|')[0]);
}

const sub = subcommandsWith({
  flags: ['admin', 'noscript', 'loading', 'stale'],
  since: '2.8.13',
  complexity: 'O(N) with N entries',
  group,
});

const allNodesDiffer = [
  'nondeterministic_output',
  'request_policy:all_nodes',
  'response_policy:special',
];

const SUBCOMMANDS: readonly CommandSpec[] = [
  sub({
    name: 'latest',
    arity: 2,
    tips: allNodesDiffer,
    summary: 'Returns the latest and the longest of each kind of latency event.',
    syntax: '',
    run: latest,
  }),
  sub({
    name: 'history',
    arity: 3,
    tips: allNodesDiffer,
    summary: 'Returns the latency events of a kind, by the second.',
    syntax: 'event',
    run: history,
  }),
  sub({
    name: 'reset',
    arity: -2,
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    summary: 'Forgets latency events, of some kinds or of all.',
    syntax: '[event [event ...]]',
    run: reset,
  }),
  sub({
    name: 'graph',
    arity: 3,
    tips: allNodesDiffer,
    summary: 'Draws the latency events of a kind.',
    syntax: 'event',
    run: graph,
  }),
  sub({
    name: 'doctor',
    arity: 2,
    tips: allNodesDiffer,
    summary: 'Says what the latency events are likely to come from.',
    syntax: '',
    run: doctor,
  }),
  sub({
    name: 'histogram',
    arity: -2,
    tips: allNodesDiffer,
    summary: 'Returns how many calls of commands took how long.',
    syntax: '[command [command ...]]',
    run: histogram,
  }),
];

export const LATENCY_COMMANDS: readonly CommandSpec[] = [
  container(
    {
      name: 'latency',
      group,
      summary: 'What concerns the time that commands take.',
      since: '2.8.13',
    },
    SUBCOMMANDS,
  ),
];

/** What a measurement found, for people and for machines. */
import type { BenchPlan, ServerResult } from '../../load/index.ts';
import { address } from './kinds.ts';
import type { Report } from './output.ts';

type Histogram = ServerResult['tally']['reads'];

const PERCENTILES = [50, 90, 99, 99.9] as const;

export function benchReport(plan: BenchPlan, results: readonly ServerResult[]): Report {
  const [one, other] = results;
  return {
    kind: 'Bench',
    data: {
      load: loadData(plan),
      servers: results.map(serverData),
      ratios: other === undefined ? null : ratioData(one, other),
    },
    view: {
      columns: [
        { title: '' },
        ...results.map(({ target }) => ({
          title: address.format(target.address),
          align: 'right' as const,
        })),
        ...(other === undefined ? [] : [{ title: 'ratio', align: 'right' as const }]),
      ],
      rows: [['server', ...results.map(({ facts }) => facts.name)], ...metricRows(results)],
    },
    names: results.map(({ target }) => address.format(target.address)),
  };
}

/** Words for what is not in the latencies, or should not be missed. */
export function benchWarnings(results: readonly ServerResult[]): string[] {
  return results.flatMap(({ target, tally }) => {
    const name = address.format(target.address);
    const errors = [...tally.errors].map(
      ([word, { count, example }]) =>
        `${name}: ${count} error replies ${word}, such as: ${example}`,
    );
    if (tally.lost > 0) errors.push(`${name}: ${tally.lost} requests lost with their connection`);
    if (tally.unanswered > 0) errors.push(`${name}: ${tally.unanswered} requests without a reply`);
    if (tally.unsent > 0) {
      errors.push(
        `${name}: fell behind the rate; ${tally.unsent} requests were due and not sent, and the ` +
          'latencies are lower bounds',
      );
    }
    return errors;
  });
}

function loadData(plan: BenchPlan) {
  const { workload, connections, pipeline, threads, rounds, ratePerSecond } = plan;
  return {
    keys: workload.keyCount,
    keyBytes: workload.keyBytes,
    valueBytes: workload.valueBytes,
    ttlMs: workload.ttlMs ?? null,
    reads: workload.readFraction,
    zipf: workload.theta,
    seed: workload.seed,
    connections,
    pipeline,
    threads,
    rounds,
    ratePerSecond: ratePerSecond ?? null,
  };
}

function serverData({ target, facts, rounds, operationsPerSecond, cpu, tally }: ServerResult) {
  const { answered, lost, unanswered, unsent } = tally;
  return {
    address: address.format(target.address),
    server: facts.name,
    operationsPerSecond,
    operationsPerSecondOfRounds: rounds.map((round) => round.operationsPerSecond),
    cpuUsPerOperation: cpu ?? null,
    hitRatio: hitRatio(tally) ?? null,
    readLatencyUs: latencyData(tally.reads),
    writeLatencyUs: latencyData(tally.writes),
    answered,
    errors: [...tally.errors].map(([error, { count, example }]) => ({ error, count, example })),
    lost,
    unanswered,
    unsent,
  };
}

function latencyData(histogram: Histogram) {
  if (histogram.count === 0) return null;
  const [p50, p90, p99, p999] = PERCENTILES.map((percent) => histogram.percentile(percent));
  return { count: histogram.count, p50, p90, p99, p999, max: histogram.max };
}

function ratioData(one: ServerResult, other: ServerResult) {
  const [ownReads, otherReads] = [one.tally.reads, other.tally.reads];
  const [ownWrites, otherWrites] = [one.tally.writes, other.tally.writes];
  return {
    operationsPerSecond: one.operationsPerSecond / other.operationsPerSecond,
    cpuPerOperation: cpuRatio(one, other) ?? null,
    readP50: ratioOf(ownReads, otherReads, 50) ?? null,
    readP99: ratioOf(ownReads, otherReads, 99) ?? null,
    writeP50: ratioOf(ownWrites, otherWrites, 50) ?? null,
    writeP99: ratioOf(ownWrites, otherWrites, 99) ?? null,
  };
}

function metricRows(results: readonly ServerResult[]): Array<Array<string | undefined>> {
  const row = (
    title: string,
    cell: (result: ServerResult) => string | undefined,
    ratio?: number,
  ): Array<Array<string | undefined>> => {
    const cells = results.map(cell);
    if (cells.every((one) => one === undefined)) return [];
    const last = ratio === undefined ? '' : `${ratio.toFixed(2)}×`;
    return [[title, ...cells, ...(results.length > 1 ? [last] : [])]];
  };
  const [one, other] = results;
  const compare = (pick: (from: ServerResult) => number | undefined): number | undefined => {
    const [own, theirs] = [pick(one), other && pick(other)];
    return own === undefined || theirs === undefined ? undefined : own / theirs;
  };
  const latencies = (title: string, of: (result: ServerResult) => Histogram) => [
    ...PERCENTILES.flatMap((percent) =>
      row(
        `${title} p${percent}`,
        (result) => duration(of(result), (histogram) => histogram.percentile(percent)),
        other && ratioOf(of(one), of(other), percent),
      ),
    ),
    ...row(`${title} max`, (result) => duration(of(result), (histogram) => histogram.max)),
  ];
  const cpu = (pick: (of: NonNullable<ServerResult['cpu']>) => number) => (from: ServerResult) =>
    from.cpu && `${pick(from.cpu).toFixed(2)} µs`;
  return [
    ...row(
      'operations/s',
      ({ operationsPerSecond }) => Math.round(operationsPerSecond).toLocaleString('en'),
      compare((from) => from.operationsPerSecond),
    ),
    ...row(
      'server CPU/operation',
      cpu(({ userUs, systemUs }) => userUs + systemUs),
      other && cpuRatio(one, other),
    ),
    ...row(
      '  user',
      cpu(({ userUs }) => userUs),
      compare(({ cpu: spent }) => spent?.userUs),
    ),
    ...row(
      '  system',
      cpu(({ systemUs }) => systemUs),
      compare(({ cpu: spent }) => spent?.systemUs),
    ),
    ...row('hit ratio', ({ tally }) => {
      const ratio = hitRatio(tally);
      return ratio === undefined ? undefined : `${(ratio * 100).toFixed(2)} %`;
    }),
    ...latencies('read', ({ tally }) => tally.reads),
    ...latencies('write', ({ tally }) => tally.writes),
    ...row('errors', ({ tally }) => String(errorCount(tally))),
  ];
}

function errorCount(tally: ServerResult['tally']): number {
  const replies = [...tally.errors.values()].reduce((sum, { count }) => sum + count, 0);
  return replies + tally.lost + tally.unanswered;
}

function hitRatio({ hits, misses }: ServerResult['tally']): number | undefined {
  return hits + misses === 0 ? undefined : hits / (hits + misses);
}

function cpuRatio(one: ServerResult, other: ServerResult): number | undefined {
  if (one.cpu === undefined || other.cpu === undefined) return undefined;
  return (one.cpu.userUs + one.cpu.systemUs) / (other.cpu.userUs + other.cpu.systemUs);
}

function ratioOf(one: Histogram, other: Histogram, percent: number): number | undefined {
  if (one.count === 0 || other.count === 0) return undefined;
  return one.percentile(percent) / other.percentile(percent);
}

function duration(
  histogram: Histogram,
  pick: (histogram: Histogram) => number,
): string | undefined {
  if (histogram.count === 0) return undefined;
  const us = pick(histogram);
  return us < 10_000 ? `${us} µs` : `${(us / 1000).toFixed(1)} ms`;
}

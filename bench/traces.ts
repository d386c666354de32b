/**
 * `npm run bench:traces`: hit ratios of the eviction policies on request traces, by themselves,
 * without a server. Beside them what is published for the same trace, policy and capacity.
 *
 *     npm run bench:traces -- --trace FILE[,FILE] [--policy lru,lfu,tinylfu]
 *                             [--capacity 250,500 | 128mb,1gb] [--seed N]
 *
 * A trace is gzip or plain text with one request a line, `KEY` or `KEY BYTES`. A capacity is a
 * number of entries, or with a unit (`512b`, `128mb`) of object bytes, without overhead.
 */
import { readTrace, type Trace } from './trace-file.ts';
import { capacityText, parseOptions, USAGE, UsageError, type Capacity } from './trace-options.ts';
import { PUBLISHED, publishedHitPercent } from './trace-published.ts';
import { missesOf } from './trace-replay.ts';

try {
  const { files, policies, capacities, seed } = parseOptions(process.argv.slice(2));
  for (const file of files) {
    const trace = readTrace(file);
    const requests = trace.hashes.length;
    const sizes = capacities ?? publishedCapacities(trace);
    checkUnits(trace, sizes);
    console.log(`${trace.name}: ${requests} requests of ${trace.keys} keys`);
    printRow('capacity', 'policy', 'hit %', 'misses', 'published', 'difference');
    for (const capacity of sizes) {
      for (const policy of policies) {
        const misses = missesOf(trace, policy, capacity, seed);
        const hits = 100 * (1 - misses / requests);
        const published = publishedHitPercent(trace.name, requests, policy, capacity);
        printRow(
          capacityText(capacity),
          policy,
          hits.toFixed(2),
          String(misses),
          published?.toFixed(2) ?? '',
          published === undefined ? '' : signed(hits - published),
        );
      }
      const optimal = publishedHitPercent(trace.name, requests, 'optimal', capacity);
      if (optimal !== undefined) {
        printRow(capacityText(capacity), 'optimal', '', '', optimal.toFixed(2), '');
      }
    }
    console.log('');
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`bench:traces: ${error.message}\n${USAGE}\n`);
  process.exit(2);
}

function publishedCapacities(trace: Trace): Capacity[] {
  const table = PUBLISHED[trace.name];
  if (table === undefined) {
    throw new UsageError(`--capacity is missing, and nothing is published for '${trace.name}'`);
  }
  return table.capacities.map((amount) => ({ amount, unit: table.unit }));
}

function checkUnits(trace: Trace, capacities: readonly Capacity[]): void {
  const inBytes = capacities.find(({ unit }) => unit === 'bytes');
  if (trace.hasSizes || inBytes === undefined) return;
  throw new UsageError(
    `--capacity '${capacityText(inBytes)}' is in bytes, and '${trace.name}' has no sizes`,
  );
}

/** Rounded to 0.00, without a sign of its own. */
function signed(difference: number): string {
  const text = difference.toFixed(2);
  if (Number(text) === 0) return '0.00';
  return difference > 0 ? `+${text}` : text;
}

function printRow(...cells: readonly string[]): void {
  console.log(cells.map((cell, at) => (at === 1 ? cell.padEnd(8) : cell.padStart(10))).join('  '));
}

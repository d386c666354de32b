/**
 * A million random and mutated inputs against the codec: prints what they led to, and the memory
 * of the process before and after. Exit 1, with the input, where one breaks a rule.
 *
 * node bench/fuzz-resp.ts [inputs] [seed]
 */

import { collect } from './collect.ts';
import { RespFuzzer } from './resp-fuzzer.ts';

const WARM_UP_INPUTS = 50_000;

const inputs = Number(process.argv[2] ?? 1_000_000);
const seed = Number(process.argv[3] ?? 1);

interface Memory {
  readonly rss: number;
  /** Live objects and arrays. */
  readonly used: number;
}

/** Of the process, after a full collection. */
function settledMemory(): Memory {
  collect();
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  return { rss, used: heapUsed + arrayBuffers };
}

function print(when: string, { rss, used }: Memory): void {
  const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
  console.log(`${when}: ${mebibytes(used)} MiB in use, ${mebibytes(rss)} MiB resident`);
}

// Code is compiled and pools are filled by then: what grows afterwards would be a leak.
new RespFuzzer(seed + 1).run(Math.min(inputs, WARM_UP_INPUTS));
const before = settledMemory();
const startedMs = performance.now();
const fuzzer = new RespFuzzer(seed);
fuzzer.run(inputs);
const seconds = (performance.now() - startedMs) / 1000;
const after = settledMemory();

for (const [name, count] of Object.entries(fuzzer.counts)) {
  console.log(`${name.padEnd(16)} ${String(count).padStart(12)}`);
}
console.log(`seed ${seed}, ${seconds.toFixed(1)} s`);
print('memory before', before);
print('memory after', after);

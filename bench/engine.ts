/**
 * `npm run bench:engine`: ten million items of 16 + 100 bytes with a deadline, then churn at the
 * memory limit. Prints memory an item, what each kind of call costs, and the longest single call.
 *
 *     npm run bench:engine -- [--items 10000000] [--policy tinylfu] [--values 100|20-400] [--runs 2]
 */
import { parseArgs } from 'node:util';
import { POLICY_NAMES } from '../src/engine/index.ts';
import { machineStalls, recurring, type Timing } from './call-timer.ts';
import { runPhases, type Phase } from './engine-run.ts';

const MACHINE_CALLS = 4_000_000;
const SEED = 7;

const { values: flags } = parseArgs({
  options: {
    items: { type: 'string', default: '10000000' },
    policy: { type: 'string', default: 'tinylfu' },
    values: { type: 'string', default: '100' },
    runs: { type: 'string', default: '2' },
  },
});
const items = Number(flags.items);
const runs = Number(flags.runs);
const policy = POLICY_NAMES.find((name) => name === flags.policy);
const [valueBytesMin, valueBytesMax = valueBytesMin] = flags.values.split('-').map(Number);
const isRange = valueBytesMin >= 0 && valueBytesMax >= valueBytesMin;
if (!(items >= 1) || !(runs >= 1) || policy === undefined || !isRange) {
  process.stderr.write(
    `bench:engine: --items and --runs take a number above 0, --values a length or MIN-MAX,` +
      ` --policy one of ${POLICY_NAMES.join(', ')}\n`,
  );
  process.exit(2);
}

const microseconds = (ms: number): string => (ms * 1000).toFixed(0).padStart(6);

function line(name: string, timing: Timing): string {
  const { long } = timing;
  const nsMean = (timing.totalMs * 1e6) / timing.calls;
  const collecting = long.filter(({ gcMs, wallMs }) => gcMs > wallMs / 2).length;
  const waiting = long.filter(({ offCpuMs, wallMs }) => offCpuMs > wallMs / 2).length;
  return (
    `${name.padEnd(28)} ${nsMean.toFixed(0).padStart(7)} ns   longest ${microseconds(timing.longestMs)} us` +
    `   over 500 us: ${long.length} (collector ${collecting}, off the CPU ${waiting})\n`
  );
}

/** Overhead by what is used and by what was given: the limit is what memory is bought for. */
function memoryLine({ items: held, memory, evicted, moved }: Phase): string {
  const payloadBytes = memory.payloadBytes;
  const ofLimit = (memory.limitBytes - payloadBytes) / held;
  return (
    `    items ${held}  overhead ${memory.overheadBytesPerItem.toFixed(1)} bytes an item (${ofLimit.toFixed(1)} of the limit)` +
    `  used ${memory.usedBytes} of ${memory.limitBytes}  live ${memory.liveBytes}` +
    `  evicted ${evicted}  moved ${moved}\n`
  );
}

const all: Phase[][] = [];
for (let run = 0; run < runs; run++) {
  process.stdout.write(`run ${run + 1} of ${runs}\n`);
  const phases = await runPhases({ items, policy, valueBytesMin, valueBytesMax, seed: SEED });
  for (const phase of phases)
    process.stdout.write(line(phase.name, phase.timing) + memoryLine(phase));
  all.push(phases);
}
if (runs > 1) {
  process.stdout.write('long in every run, and so the engine’s own\n');
  for (const [at, { name }] of all[0].entries()) {
    const calls = recurring(all.map((phases) => phases[at].timing));
    const longestMs = Math.max(0, ...calls.map(({ wallMs }) => wallMs));
    const longest = calls.length === 0 ? ' below 500 us' : `${microseconds(longestMs)} us`;
    const where = calls.slice(0, 8).map(({ index }) => index);
    process.stdout.write(
      `${name.padEnd(28)} longest ${longest}   calls ${calls.length} ${where.join(' ')}\n`,
    );
  }
}
const usedBytes = all[0][0].memory.usedBytes;
process.stdout.write('the machine, with no engine: writes to random places of as much memory\n');
process.stdout.write(line('', await machineStalls(usedBytes, MACHINE_CALLS)));

/**
 * `npm run bench:redis`: this node beside `redis-server`, in one run on one machine.
 *
 * Both servers are pinned to one core, of which the idle one takes nothing, and redis-benchmark,
 * the client that people compare caches with, to another. For GET and SET at each pipeline the two
 * take turns, the first of a round going second in the next, so that a slow spell of the machine
 * meets both. Printed are the medians of the rounds: throughput, the server's CPU time an operation
 * (user and system apart, from /proc), how busy its core was, and the ratios. Well below 100 % busy
 * the throughput is the client's limit and not the server's: the CPU time is then what to compare.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { median } from '../src/load/index.ts';
import { type Command, type Sample, measure } from './redis-client.ts';
import { type Contender, describeMachine, startContenders } from './redis-servers.ts';

const COMMANDS: readonly Command[] = ['GET', 'SET'];
const PIPELINES = [1, 16, 64];
const CONNECTIONS = 50;
const VALUE_BYTES = 100;
/** Enough for a first guess at how many requests make a round. */
const TRIAL_REQUESTS = 20_000;

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    keys: { type: 'string', default: '1000000' },
  },
});
const rounds = Number(flags.rounds ?? (flags.quick ? 3 : 5));
const seconds = Number(flags.seconds ?? (flags.quick ? 0.5 : 2));
const keyCount = Number(flags.keys);
if (!(rounds >= 1 && rounds % 1 === 0 && seconds > 0 && keyCount >= 1 && keyCount % 1 === 0)) {
  console.error('usage: npm run bench:redis -- [--quick] [--rounds N] [--seconds S] [--keys N]');
  process.exit(2);
}
if (availableParallelism() < 2) {
  console.error('two cores are needed: one for the servers and one for redis-benchmark');
  process.exit(1);
}

const contenders = await startContenders(keyCount, VALUE_BYTES);
try {
  const [ours, redis] = contenders;
  console.log(`${describeMachine()}\n`);
  console.log(
    `redis-benchmark, ${CONNECTIONS} connections, ${VALUE_BYTES} B values, ${keyCount} keys of ` +
      `16 B, all present; medians of ${rounds} rounds of about ${seconds} s; ratios of ` +
      `${ours.name} to ${redis.name}.\n`,
  );
  console.log(row('', '', 'operations/s', 'CPU µs/op', 'user', 'system', 'core busy'));
  console.log(row('---', '---', '--:', '--:', '--:', '--:', '--:'));
  for (const command of COMMANDS) {
    for (const pipeline of PIPELINES) await compare(command, pipeline, ours, redis);
  }
} finally {
  for (const server of contenders) await server.stop();
}

async function compare(
  command: Command,
  pipeline: number,
  ours: Contender,
  redis: Contender,
): Promise<void> {
  const load = { command, pipeline, connections: CONNECTIONS, valueBytes: VALUE_BYTES, keyCount };
  const sides: Array<{ server: Contender; requests: number; samples: Sample[] }> = [];
  for (const server of [ours, redis]) {
    const requests = TRIAL_REQUESTS * Math.min(pipeline, 10);
    const trial = await measure(server, { ...load, requests });
    sides.push({ server, requests: trial.operationsPerSecond * seconds, samples: [] });
  }
  for (let round = 0; round < rounds; round++) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      side.samples.push(await measure(side.server, { ...load, requests: side.requests }));
    }
  }
  const [mine, theirs] = sides.map(({ samples }) => medianOf(samples));
  const title = `${command} -P ${pipeline}`;
  console.log(row(title, ours.name, ...describe(mine)));
  console.log(row('', redis.name, ...describe(theirs)));
  console.log(
    row(
      '',
      'ratio',
      `**${(mine.operationsPerSecond / theirs.operationsPerSecond).toFixed(2)}×**`,
      `**${(cpuUs(mine) / cpuUs(theirs)).toFixed(2)}×**`,
      `${(mine.userUs / theirs.userUs).toFixed(2)}×`,
      `${(mine.systemUs / theirs.systemUs).toFixed(2)}×`,
      '',
    ),
  );
}

function medianOf(samples: readonly Sample[]): Sample {
  const of = (pick: (sample: Sample) => number): number => median(samples.map(pick));
  return {
    operationsPerSecond: of((sample) => sample.operationsPerSecond),
    userUs: of((sample) => sample.userUs),
    systemUs: of((sample) => sample.systemUs),
  };
}

function describe(sample: Sample): readonly string[] {
  const busy = (cpuUs(sample) * sample.operationsPerSecond) / 10_000;
  return [
    Math.round(sample.operationsPerSecond).toLocaleString('en'),
    cpuUs(sample).toFixed(2),
    sample.userUs.toFixed(2),
    sample.systemUs.toFixed(2),
    `${busy.toFixed(0)} %`,
  ];
}

function cpuUs(sample: Sample): number {
  return sample.userUs + sample.systemUs;
}

function row(...cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

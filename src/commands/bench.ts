import { Flags } from '@oclif/core';
import { EXIT } from '../cluster/index.ts';
import {
  KEY_COUNT_MAX,
  type BenchPlan,
  type Workload,
  keyBytesMin,
  runBench,
  threadsByDefault,
} from '../load/index.ts';
import { BaseCommand, outputFlags } from './frame/base-command.ts';
import { callSettings, clientSettings, readCallSettings } from './frame/data-client.ts';
import { benchReport, benchWarnings } from './frame/bench-report.ts';
import { addressFlag, countFlag, durationFlag } from './frame/flags.ts';
import { badValue } from './frame/kinds.ts';
import { decimalFlag, spanFlag } from './frame/load-flags.ts';
import { flagsOf } from './frame/settings.ts';

const DURATION_MS = 10_000;
const ROUNDS_COMPARED = 5;

export default class Bench extends BaseCommand {
  static override summary = 'Measure a cache, or compare it with another server, under load.';
  static override description =
    'Writes keys named key:… to the server and leaves them there. With --against the servers ' +
    'take turns, round by round, under the same requests; throughput and CPU are medians of ' +
    'the rounds, latencies are of all rounds, and ratios are of --address over --against.\n\n' +
    'Without --rate the load is closed: each connection sends as many requests as the pipeline ' +
    'is deep, waits for all of their replies, and sends again. Latency is then from sending to ' +
    'reply, and hides what a stall would have done to requests that were never sent. With ' +
    '--rate the load is open: requests are due at even intervals whatever the server does, and ' +
    'latency is from the instant at which one was due.\n\n' +
    'Error replies count as errors and not as operations. Server CPU is shown where its ' +
    'process is on this machine.';
  static override examples = [
    '<%= config.bin %> bench',
    '<%= config.bin %> bench --reads 0.9 --zipf 0.99 --value-size 64b-4kb --pipeline 16',
    '<%= config.bin %> bench --against 127.0.0.1:6379 --duration 30s',
    '<%= config.bin %> bench --rate 20000 --connections 200 --json',
  ];
  static override flags = {
    ...flagsOf(clientSettings),
    against: addressFlag({ summary: 'Another server, to compare with. It gets no secret.' }),
    duration: durationFlag({ min: 1 })({
      summary: `How long to load each server, over all rounds. [default: 10s]`,
      exclusive: ['requests'],
    }),
    requests: countFlag({ min: 1 })({
      summary: 'How many requests to send to each server, in place of a duration.',
    }),
    rounds: countFlag({ min: 1, max: 1000 })({
      summary: `Rounds that make up the duration. [default: 1, or ${ROUNDS_COMPARED} with --against]`,
    }),
    'warm-up': durationFlag()({
      summary: 'Load each server for this long before the first round.',
      default: 1_000,
      defaultHelp: () => Promise.resolve('1s'),
    }),
    prefill: Flags.boolean({
      summary: 'Write every key once first, so that reads hit.',
      default: true,
      allowNo: true,
    }),
    keys: countFlag({ min: 1, max: KEY_COUNT_MAX })({
      summary: 'How many keys there are.',
      default: 1_000_000,
    }),
    'key-size': spanFlag({ min: 1, max: 65_536 })({
      summary: 'Size of a key; each keeps its own.',
      default: { min: 16, max: 16 },
      defaultHelp: () => Promise.resolve('16'),
    }),
    'value-size': spanFlag({ min: 0, max: 64 * 1024 * 1024 })({
      summary: 'Size of a value, drawn for each write.',
      default: { min: 100, max: 100 },
      defaultHelp: () => Promise.resolve('100'),
    }),
    ttl: durationFlag({ min: 1 })({
      summary: 'What is written expires after this. Without: never.',
    }),
    reads: decimalFlag({ min: 0, max: 1 })({
      summary: 'Reads among the requests, from 0 to 1; the others are writes.',
      default: 0.5,
    }),
    zipf: decimalFlag({ min: 0, max: 10 })({
      summary: 'Exponent of the Zipf distribution over the keys; 0 is uniform.',
      default: 0,
    }),
    connections: countFlag({ min: 1, max: 100_000 })({
      summary: 'Connections to each server.',
      default: 50,
    }),
    pipeline: countFlag({ min: 1, max: 65_536 })({
      summary: 'Requests in flight on a connection.',
      default: 1,
    }),
    threads: countFlag({ min: 1, max: 256 })({
      summary: 'Threads that make the load. [default: half of the cores, at most 4]',
    }),
    rate: countFlag({ min: 1 })({ summary: 'Requests a second to each server: an open load.' }),
    seed: countFlag({ max: 2 ** 32 - 1 })({
      summary: 'The same one sends the same requests.',
      default: 1,
    }),
    stall: durationFlag({ min: 100 })({
      summary: 'A server that answers nothing for this long is given up.',
      default: 10_000,
      defaultHelp: () => Promise.resolve('10s'),
    }),
    ...outputFlags,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Bench);
    const { address = callSettings.address.default, tenant, secret } = readCallSettings(flags);
    const needed = keyBytesMin(flags.keys);
    if (flags['key-size'].min < needed) {
      const form = `enough to tell ${flags.keys} keys apart: at least ${needed}`;
      throw badValue('--key-size', String(flags['key-size'].min), form);
    }
    const targets = [{ address, tenant, secret }];
    if (flags.against !== undefined) {
      targets.push({ address: flags.against, tenant: undefined, secret: undefined });
    }
    const workload: Workload = {
      keyCount: flags.keys,
      keyBytes: flags['key-size'],
      valueBytes: flags['value-size'],
      ttlMs: flags.ttl,
      readFraction: flags.reads,
      theta: flags.zipf,
      seed: flags.seed,
    };
    const plan: BenchPlan = {
      targets,
      workload,
      connections: flags.connections,
      pipeline: flags.pipeline,
      threads: Math.min(flags.threads ?? threadsByDefault(), flags.connections),
      stallMs: flags.stall,
      isFilledFirst: flags.prefill,
      warmUpMs: flags['warm-up'],
      rounds: flags.rounds ?? (targets.length > 1 ? ROUNDS_COMPARED : 1),
      requests: flags.requests ?? Infinity,
      durationMs: flags.requests === undefined ? (flags.duration ?? DURATION_MS) : Infinity,
      ratePerSecond: flags.rate,
    };
    const results = await runBench(plan, (words) => this.say(words));
    for (const words of benchWarnings(results)) this.warn(words);
    await this.print(benchReport(plan, results));
    if (results.some(({ tally }) => tally.unanswered > 0)) this.exit(EXIT.unreachable);
  }
}

/**
 * `npm run bench:routing`: what it costs a node to be in a cluster. One node stands alone, another is
 * the primary of all 64 shards of a cluster of its own; both are on one core and take turns, as in
 * `redis.ts`. Printed is the CPU time an operation of each, and the ratio: the medians of the rounds.
 */
import { parseArgs } from 'node:util';
import { median } from '../src/load/index.ts';
import {
  mapOf,
  namespaceOf,
  tenantOf,
  tenantsPush,
  TestLeader,
} from '../src/node/cluster/test-support.ts';
import { createRuntime } from '../src/runtime/node/index.ts';
import { until } from '../test/support/cluster-nodes.ts';
import { type Command, measure } from './redis-client.ts';
import { describeMachine, fill, startNode } from './redis-servers.ts';

const COMMANDS: readonly Command[] = ['GET', 'SET'];
const PIPELINES = [1, 16];
const VALUE_BYTES = 100;
const CONNECTIONS = 50;

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    requests: { type: 'string', default: '200000' },
    keys: { type: 'string', default: '100000' },
  },
});
const [rounds, requests, keyCount] = [flags.rounds, flags.requests, flags.keys].map(Number);

const leader = new TestLeader(createRuntime(), { host: '127.0.0.1', port: 0 });
const meta = await until(() => leader.address);
const alone = await startNode('alone');
const member = await startNode('member', '--meta', `127.0.0.1:${meta.port}`, '--name', 'n1');
try {
  const { id } = await until(() => leader.nodes().at(0));
  const tenants = [tenantOf('default', 0, { policy: 'tinylfu' })];
  leader.push('tenants', tenantsPush(1, tenants, [namespaceOf('default', 'default', 0)]));
  const primaries = Array.from({ length: 64 }, () => id);
  leader.pushMap(mapOf(2, primaries));
  await until(() => leader.heartbeats.find(({ mapEpoch }) => mapEpoch === 2));
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (const { port } of [alone, member]) await fill(port, keyCount, VALUE_BYTES);
  console.log(`${describeMachine()}\n`);
  console.log('| | alone: CPU µs/op, op/s | in a cluster | ratio of CPU | ratio of op/s |');
  console.log('|---|--:|--:|--:|--:|');
  for (const command of COMMANDS) {
    for (const pipeline of PIPELINES) await compare(command, pipeline);
  }
} finally {
  await member.stop();
  await alone.stop();
  await new Promise<void>((resolve) => leader.close(resolve));
}

async function compare(command: Command, pipeline: number): Promise<void> {
  const load = { command, pipeline, connections: CONNECTIONS, valueBytes: VALUE_BYTES, keyCount };
  const count = requests * (pipeline === 1 ? 1 : 4);
  const samples = new Map(
    [alone, member].map((server) => [
      server,
      { cpuUs: Array.of<number>(), rates: Array.of<number>() },
    ]),
  );
  for (let round = 0; round < rounds; round++) {
    for (const server of round % 2 === 0 ? [alone, member] : [member, alone]) {
      const sample = await measure(server, { ...load, requests: count });
      samples.get(server)?.cpuUs.push(sample.userUs + sample.systemUs);
      samples.get(server)?.rates.push(sample.operationsPerSecond);
    }
  }
  const [one, other] = [...samples.values()].map(({ cpuUs, rates }) => ({
    cpuUs: median(cpuUs),
    rate: median(rates),
  }));
  const words = [one, other].map(
    ({ cpuUs, rate }) => `${cpuUs.toFixed(2)}, ${Math.round(rate).toLocaleString('en')}`,
  );
  const ratios = [other.cpuUs / one.cpuUs, other.rate / one.rate].map((ratio) => ratio.toFixed(3));
  console.log(`| ${[`${command} -P ${pipeline}`, ...words, ...ratios].join(' | ')} |`);
}

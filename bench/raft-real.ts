/**
 * `npm run bench:raft-real`: three Raft peers as real processes, over loopback, on a real disk.
 *
 * First they are killed with SIGKILL and started again, one or all of them, in a loop under load,
 * and what the clients were told is judged by the simulator's linearizability checker. Then they
 * are left alone, and it is measured what a commit costs and how many share a sync.
 *
 * A killed process loses nothing that the kernel has: that bytes outlive a loss of power is for the
 * simulator's disk to show. What only this can show is that the real system calls fit together.
 */
import {
  mkdtempSync,
  openSync,
  closeSync,
  fdatasyncSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { replyText } from '../src/resp/index.ts';
import { checkLinearizable, explainViolation, registerModel } from '../src/sim/index.ts';
import { RealClient } from './raft-real-client.ts';
import { RealCluster } from './raft-real-cluster.ts';
import { HistoryLoad } from './raft-real-load.ts';
import { type PeerReport, peerReport } from './raft-real-peer.ts';

const USAGE =
  'usage: npm run bench:raft-real -- [--seconds S] [--clients N] [--keys N] [--measure-seconds S] [--directory DIR]';
const PEERS = 3;
const READ_SHARE = 0.5;
const CHECK_STEPS_MAX = 50_000_000;
const VALUE = 'x'.repeat(100);

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    clients: { type: 'string', default: '12' },
    keys: { type: 'string', default: '24' },
    'measure-seconds': { type: 'string', default: '5' },
    directory: { type: 'string', default: tmpdir() },
  },
});
const seconds = Number(flags.seconds);
const clients = Number(flags.clients);
const keys = Number(flags.keys);
const measureSeconds = Number(flags['measure-seconds']);
if (!(seconds >= 0 && measureSeconds >= 0) || !isCount(clients) || !isCount(keys)) {
  console.error(USAGE);
  process.exit(2);
}

const directory = mkdtempSync(join(flags.directory, 'cachectl-raft-real-'));
try {
  console.log(`Node ${process.version}, Linux ${release()}, ${cpus().length} × ${cpus()[0].model}`);
  console.log(
    `data in ${directory}; one fdatasync of 4 KiB there: ${await baselineUs()} µs at the median\n`,
  );
  if (seconds > 0) await survive(join(directory, 'chaos'));
  if (measureSeconds > 0) {
    for (const each of [1, 8, 64, 256]) await measure(join(directory, `steady-${each}`), each);
  }
} finally {
  rmSync(directory, { recursive: true });
}

async function survive(dataDirectory: string): Promise<void> {
  // Small, so that segments and snapshots come and go all the time.
  const sizes = { snapshotEntries: 500, segmentBytesMax: 64 * 1024 };
  const cluster = await RealCluster.start(PEERS, dataDirectory, sizes);
  const ports = cluster.peers.map(({ clientPort }) => clientPort);
  const load = new HistoryLoad({ ports, clients, keys, readShare: READ_SHARE });
  const running = load.run();
  const faults = { kills: 0, killsOfAll: 0, pauses: 0 };
  const endsAt = performance.now() + seconds * 1000;
  await sleep(1000);
  while (performance.now() < endsAt) {
    const lot = Math.random();
    if (lot < 0.2) {
      faults.pauses += 1;
      await cluster.pause(pick(cluster.peers), Math.random() * 2000);
    } else {
      const victims = lot < 0.35 ? cluster.peers : [pick(cluster.peers)];
      if (victims.length === 1) faults.kills += 1;
      else faults.killsOfAll += 1;
      await Promise.all(victims.map((peer) => cluster.kill(peer)));
      await sleep(Math.random() * 700);
      await Promise.all(victims.map((peer) => cluster.startPeer(peer)));
    }
    // Sometimes before the others have noticed, sometimes long after.
    await sleep(Math.random() * 1500);
  }
  // Whatever has happened, three peers that are left alone serve again.
  await sleep(2000);
  const before = load.history.length;
  await sleep(1000);
  load.stop();
  await running;
  const reports = await Promise.all(ports.map((port) => report(port)));
  await cluster.stop();
  judge(load, faults, load.history.length - before, reports);
}

function judge(
  load: HistoryLoad,
  faults: { readonly kills: number; readonly killsOfAll: number; readonly pauses: number },
  servedAtEnd: number,
  reports: readonly PeerReport[],
): void {
  const { history, refused, longestGapMs, latenciesMs } = load;
  const unknown = history.filter(({ returned }) => returned === undefined).length;
  const startedAt = performance.now();
  const verdict = checkLinearizable(history, registerModel, CHECK_STEPS_MAX);
  const checkMs = performance.now() - startedAt;
  console.log(
    `${seconds} s of kill -9 and restart, ${PEERS} peers, ${clients} clients, ${keys} keys:`,
  );
  console.log(
    `  ${faults.kills} kills of one peer, ${faults.killsOfAll} of all at once, ${faults.pauses} pauses`,
  );
  console.log(
    `  operations: ${history.length - unknown} answered, ${unknown} of unknown outcome, ${refused} refused`,
  );
  console.log(
    `  latency: ${quantiles(latenciesMs)}; longest time without a write: ${ms(longestGapMs)}`,
  );
  console.log(
    `  snapshots up to entry ${reports.map(({ snapshotIndex }) => snapshotIndex).join(', ')} of ${Math.max(...reports.map(({ commitIndex }) => commitIndex))}; ${servedAtEnd} operations in the last second`,
  );
  console.log(`  ${verdict.verdict}, found in ${ms(checkMs)}\n`);
  if (verdict.verdict === 'violation') {
    const path = 'raft-real-violation.json';
    writeFileSync(path, JSON.stringify(verdict.operations, undefined, 1));
    console.log(explainViolation(verdict, registerModel, CHECK_STEPS_MAX).words);
    console.log(`All operations on the key are in ${path}.`);
  }
  if (verdict.verdict !== 'linearizable' || servedAtEnd === 0) process.exitCode = 1;
}

/** Writes of different keys, as fast as each client gets its answer, to the leader. */
async function measure(dataDirectory: string, count: number): Promise<void> {
  const sizes = { snapshotEntries: 10_000, segmentBytesMax: 8 * 1024 * 1024 };
  const cluster = await RealCluster.start(PEERS, dataDirectory, sizes);
  const port = await leaderPort(cluster);
  const latenciesMs: number[] = [];
  const warmUntil = performance.now() + 1000;
  const endsAt = warmUntil + measureSeconds * 1000;
  const writer = async (index: number): Promise<void> => {
    const client = new RealClient();
    for (let number = 0; performance.now() < endsAt; number++) {
      const sentAt = performance.now();
      const answer = await client.call(port, ['SET', `${index}:${number % 1000}`, VALUE], 5000);
      if (typeof answer === 'string') throw new Error(`a write was ${answer} without a fault`);
      if (sentAt >= warmUntil) latenciesMs.push(performance.now() - sentAt);
    }
    client.close();
  };
  const writers = Array.from({ length: count }, (_, index) => writer(index));
  await sleep(1000);
  await report(port);
  await sleep(measureSeconds * 1000 - 200);
  const { syncs, batches, syncBytes, syncUs } = await report(port);
  await Promise.all(writers);
  await cluster.stop();
  const perSecond = latenciesMs.length / measureSeconds;
  console.log(
    `${count} client${count === 1 ? '' : 's'}: ${perSecond.toFixed(0)} writes/s, ${quantiles(latenciesMs)}`,
  );
  console.log(
    `  the leader's log: ${(syncs / (measureSeconds - 0.2)).toFixed(0)} syncs/s of ${(syncBytes / syncs / 1024).toFixed(1)} KiB and ${(batches / syncs).toFixed(1)} batches; append and sync ${syncUs.p50} µs at the median, ${syncUs.p99} µs at p99\n`,
  );
}

async function leaderPort(cluster: RealCluster): Promise<number> {
  for (;;) {
    for (const { clientPort } of cluster.peers) {
      if ((await report(clientPort)).role === 'leader') return clientPort;
    }
    await sleep(50);
  }
}

async function report(port: number): Promise<PeerReport> {
  const client = new RealClient();
  const answer = await client.call(port, ['STATUS'], 5000);
  client.close();
  if (typeof answer === 'string') throw new Error(`a peer on port ${port} does not answer`);
  return peerReport.parse(JSON.parse(replyText(answer.reply) ?? ''));
}

/** What this disk needs for one write, with nothing else going on. */
async function baselineUs(): Promise<string> {
  const path = join(directory, 'baseline');
  const file = openSync(path, 'a');
  const block = new Uint8Array(4096).fill(1);
  const durations: number[] = [];
  for (let count = 0; count < 200; count++) {
    const startedAt = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    durations.push((performance.now() - startedAt) * 1000);
  }
  closeSync(file);
  return durations.sort((a, b) => a - b)[100].toFixed(0);
}

function quantiles(durationsMs: readonly number[]): string {
  const sorted = [...durationsMs].sort((a, b) => a - b);
  const at = (share: number): string => ms(sorted[Math.floor(sorted.length * share)] ?? 0);
  return `${at(0.5)} at the median, ${at(0.99)} at p99`;
}

function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 0)} ms`;
}

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)];
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}

/** The shell over real disks and real sockets. */
import { afterEach, describe, expect, test } from 'vitest';
import { SystemError } from '../../src/runtime/index.ts';
import type { AppendFile, Disk } from '../../src/runtime/index.ts';
import { asClusterId } from '../../src/raft/types.ts';
import { RealCluster } from './real-cluster.ts';

const ABC = ['a', 'b', 'c'];
let cluster: RealCluster;

async function newCluster(names: readonly string[], options = {}): Promise<void> {
  cluster = new RealCluster(options);
  await cluster.begin(names);
  await cluster.until('there is a leader', () => cluster.leader !== undefined);
}

afterEach(async () => {
  await cluster.close();
});

/** A disk whose syncs fail from the moment that `isBroken` says so. */
function breakable(disk: Disk, isBroken: () => boolean): Disk {
  return {
    read: (path, offset, length, done) => disk.read(path, offset, length, done),
    size: (path, done) => disk.size(path, done),
    rename: (from, to, done) => disk.rename(from, to, done),
    remove: (path, done) => disk.remove(path, done),
    list: (directory, done) => disk.list(directory, done),
    makeDirectory: (directory, done) => disk.makeDirectory(directory, done),
    syncDirectory: (directory, done) => disk.syncDirectory(directory, done),
    lock: (path, done) => disk.lock(path, done),
    openAppend(path, done) {
      disk.openAppend(path, (error, file) => {
        if (error !== undefined) done(error, file);
        else done(undefined, breakableFile(file, isBroken));
      });
    },
  };
}

function breakableFile(file: AppendFile, isBroken: () => boolean): AppendFile {
  return {
    append: (bytes, done) => file.append(bytes, done),
    truncate: (length, done) => file.truncate(length, done),
    close: (done) => file.close(done),
    sync: (done) =>
      file.sync((error) => done(isBroken() ? new SystemError('EIO', 'the disk is broken') : error)),
  };
}

describe('three peers', () => {
  test('apply what any of them proposes, once and in one order, and read it anywhere', async () => {
    await newCluster(ABC);
    const commands = Array.from({ length: 60 }, (_, at) => `command ${at}`);
    const outcomes = await Promise.all(
      commands.map((command, at) => cluster.propose(ABC[at % 3], command)),
    );
    expect(outcomes.every(({ kind }) => kind === 'applied')).toBe(true);
    const seen = await Promise.all(ABC.map((name) => cluster.read(name)));
    expect(seen[0].toSorted()).toEqual(commands.toSorted());
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[2]).toEqual(seen[0]);
  });

  test('go on without their leader, and have it back', async () => {
    await newCluster(ABC);
    expect(await cluster.propose('a', 'before')).toMatchObject({ kind: 'applied' });
    const lost = String(cluster.leader?.id);
    const other = ABC.find((name) => name !== lost) ?? '';
    await cluster.stop(lost);
    expect(await cluster.propose(other, 'meanwhile')).toMatchObject({ kind: 'applied' });
    await cluster.start(lost);
    expect(await cluster.read(lost)).toEqual(['before', 'meanwhile']);
  });

  test('hand over leadership without an election timeout', async () => {
    await newCluster(ABC);
    await cluster.propose('a', 'x');
    const old = cluster.leader;
    const term = old?.peer.status().term ?? 0;
    const outcome = await new Promise((resolve) => {
      old?.peer.transferLeadership(undefined, resolve);
    });
    expect(outcome).toEqual({ accepted: true });
    await cluster.until('another leads', () => {
      const { leader } = cluster;
      return leader !== undefined && leader.id !== old?.id;
    });
    expect(cluster.leader?.peer.status().term).toBe(term + 1);
    expect(await cluster.propose('b', 'y')).toMatchObject({ kind: 'applied' });
  });

  test('hold after a restart of all what was acknowledged, by snapshot and log', async () => {
    await newCluster(ABC, { snapshotEntries: 8, limits: { trailingEntries: 2 } });
    const commands = Array.from({ length: 21 }, (_, at) => `command ${at}`);
    for (const command of commands) await cluster.propose('b', command);
    await cluster.until('snapshots are taken', () =>
      cluster.peers.every(({ peer }) => (peer.status().snapshotIndex ?? 0) > 8),
    );
    for (const name of ABC) await cluster.stop(name);
    for (const name of ABC) await cluster.start(name);
    expect(await cluster.read('c')).toEqual(commands);
  });

  test('take in a fourth, by a snapshot in pieces, and let the first go', async () => {
    const limits = { trailingEntries: 0, snapshotChunkBytes: 16 };
    await newCluster(ABC, { snapshotEntries: 5, limits });
    for (let at = 0; at < 12; at++) await cluster.propose('a', `command ${at}`);
    await cluster.reserve(['d']);
    const fourth = await cluster.start('d');
    const { leader } = cluster;
    const gone = String(leader?.id);
    const staying = [...ABC.filter((name) => name !== gone), 'd'];
    const outcome = await new Promise((resolve) => {
      const change = { voters: cluster.voters(staying), learners: new Map() };
      leader?.peer.change(change, resolve);
    });
    expect(outcome).toEqual({ accepted: true });
    await cluster.until('the fourth votes and the first does not', () => {
      const { configuration } = fourth.peer.status();
      return String(configuration.voters) === String(staying.toSorted());
    });
    expect(fourth.peer.status().snapshotIndex).toBeGreaterThan(0);
    await cluster.stop(gone);
    expect(await cluster.propose('d', 'last')).toMatchObject({ kind: 'applied' });
    expect((await cluster.read('d')).length).toBe(13);
  });

  test('lose no command and apply none twice while leaders come and go', async () => {
    await newCluster(ABC, { limits: { electionTimeoutMs: 200, heartbeatIntervalMs: 40 } });
    const outcomes = new Map<string, string>();
    const proposals = Array.from({ length: 120 }, async (_, at) => {
      const command = `command ${at}`;
      await new Promise((resolve) => {
        setTimeout(resolve, at * 15);
      });
      const { kind } = await cluster.propose(ABC[at % 3], command);
      outcomes.set(command, kind);
    });
    for (let round = 0; round < 4; round++) {
      await new Promise((resolve) => {
        setTimeout(resolve, 400);
      });
      cluster.leader?.peer.transferLeadership(undefined, () => undefined);
    }
    await Promise.all(proposals);
    const seen = await cluster.read('a');
    expect(new Set(seen).size).toBe(seen.length);
    for (const [command, kind] of outcomes) {
      if (kind === 'applied') expect(seen).toContain(command);
      if (kind === 'refused') expect(seen).not.toContain(command);
    }
    expect([...outcomes.values()].filter((kind) => kind === 'applied').length).toBe(120);
  });
});

describe('a peer', () => {
  test('alone does all by itself', async () => {
    await newCluster(['a']);
    expect(await cluster.propose('a', 'x')).toMatchObject({ kind: 'applied' });
    expect(await cluster.read('a')).toEqual(['x']);
  });

  test('whose disk fails stops, and the others go on', async () => {
    await newCluster(ABC);
    const broken = String(cluster.leader?.id);
    await cluster.stop(broken);
    let isBroken = false;
    const again = await cluster.start(broken, {}, (disk) => breakable(disk, () => isBroken));
    const other = ABC.find((name) => name !== broken) ?? '';
    await cluster.propose(other, 'before');
    isBroken = true;
    await cluster.propose(other, 'after');
    await cluster.until('it has stopped', () => again.failure !== undefined);
    expect(again.failure?.message).toMatch(/EIO|broken/);
    expect(await cluster.propose(broken, 'x', 300)).toEqual({ kind: 'refused', reason: 'stopped' });
    expect(await cluster.read(other)).toEqual(['before', 'after']);
  });

  test('that stops says so to all who wait', async () => {
    await newCluster(ABC);
    const [first, second] = ABC.filter((name) => name !== String(cluster.leader?.id));
    const { peer } = cluster.running.get(first) ?? {};
    await cluster.stop(String(cluster.leader?.id));
    await cluster.stop(second);
    const proposal = cluster.propose(first, 'x');
    const read = new Promise((resolve) => {
      peer?.read(resolve);
    });
    await cluster.stop(first);
    expect((await proposal).kind).toMatch(/refused|unknown/);
    expect(await read).toMatchObject({ kind: 'refused' });
    expect(peer?.status().isStopped).toBe(true);
  });

  test('refuses a proposal that is too large, and gives up one that nobody takes', async () => {
    await newCluster(ABC, { limits: { commandBytesMax: 100 } });
    const tooLarge = await cluster.propose('a', 'x'.repeat(101));
    expect(tooLarge).toEqual({ kind: 'refused', reason: 'tooLarge' });
    const { leader } = cluster;
    for (const name of ABC) if (name !== leader?.id) await cluster.stop(name);
    const outcome = await cluster.propose(String(leader?.id), 'x', 500);
    expect(outcome.kind).toMatch(/refused|unknown/);
  });

  test("refuses another cluster's directory, and one that is in use", async () => {
    await newCluster(['a']);
    await expect(cluster.start('a')).rejects.toThrow(/in use/);
    await cluster.stop('a');
    const other = { cluster: asClusterId('other') };
    await expect(cluster.start('a', other)).rejects.toThrow(/belongs to cluster real/);
    await cluster.start('a');
    expect(await cluster.propose('a', 'x')).toMatchObject({ kind: 'applied' });
  });
});

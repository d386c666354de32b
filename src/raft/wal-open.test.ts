import { describe, expect, test } from 'vitest';

import type { SystemError } from '../runtime/index.ts';
import {
  answerOf,
  append,
  compact,
  DIRECTORY,
  entry,
  hardState,
  type Machine,
  makeMachine,
  open,
  opening,
  refusal,
  settle,
  snapshotAt,
  reopened,
} from './test-support.ts';
import { asClusterId, asPeerId } from './types.ts';
import type { StorageError } from './wal-error.ts';
import type { LogOptions } from './wal-open.ts';

describe('a directory that is not this peer’s to use is refused, in words that say what to do', () => {
  const used = (): Machine => {
    const machine = makeMachine();
    const { log } = open(machine);
    append(machine, log, { hardState: hardState(1), entries: [entry(1, 1)] });
    answerOf<SystemError | undefined>(machine.queue, (done) => log.close(done));
    return machine;
  };
  const untouched = (machine: Machine, options: Partial<LogOptions>): StorageError => {
    const before = machine.disk.image();
    const error = refusal(machine, options);
    expect(machine.disk.image()).toEqual(before);
    // Refused is not locked: the right peer can go on.
    expect(open(machine).contents.entries).toEqual([entry(1, 1)]);
    return error;
  };

  test('another process has it open', () => {
    const machine = makeMachine();
    open(machine);
    const error = refusal(machine);
    expect(error.code).toBe('locked');
    expect(error.message).toContain('raft/log/LOCK');
    expect(error.message).toContain('Stop that one');
  });

  test('another cluster', () => {
    const error = untouched(used(), { cluster: asClusterId('blue') });
    expect(error.code).toBe('foreign');
    expect(error.message).toContain(
      'raft/log/00000001.wal belongs to cluster green, and not to blue',
    );
  });

  test('another peer', () => {
    const error = untouched(used(), { peer: asPeerId('m2') });
    expect(error.code).toBe('foreign');
    expect(error.message).toContain('belongs to peer m1, and not to m2');
  });

  const withFile = (name: string, bytes: Uint8Array): Machine => {
    const image = used().disk.image();
    const files = new Map([...image.files, [`${DIRECTORY}/${name}`, bytes]]);
    return makeMachine({ image: { ...image, files } });
  };

  test('somebody else’s files', () => {
    const error = refusal(withFile('notes.txt', new Uint8Array(3)));
    expect(error).toMatchObject({ code: 'foreign', path: 'raft/log/notes.txt' });
    const other = refusal(withFile('00000001.wal', new TextEncoder().encode('x'.repeat(200))));
    expect(other).toMatchObject({ code: 'foreign', path: 'raft/log/00000001.wal' });
    expect(opening(withFile('lost+found', new Uint8Array(0))).error).toBeUndefined();
  });

  test('a segment that was renamed, and one of another log', () => {
    const own = used().disk.image().files.get('raft/log/00000001.wal') ?? new Uint8Array(0);
    const renamed = refusal(withFile('00000003.wal', own));
    expect(renamed).toMatchObject({ code: 'foreign', path: 'raft/log/00000003.wal' });
    expect(renamed.message).toContain('give it back its name, 00000001.wal');
    const machine = makeMachine();
    const { runtime } = machine;
    const random = { ...runtime.random, bytes: (length: number) => new Uint8Array(length) };
    const otherMachine = { ...machine, runtime: { ...runtime, random } };
    append(otherMachine, open(otherMachine).log, { entries: [entry(1, 1)] });
    machine.disk.kill();
    open(otherMachine);
    const other = machine.disk.image().files.get('raft/log/00000002.wal') ?? new Uint8Array(0);
    const error = refusal(withFile('00000002.wal', other));
    expect(error).toMatchObject({ code: 'foreign', path: 'raft/log/00000002.wal' });
    expect(error.message).toContain('of another log than 00000001.wal');
  });

  test('a newer version', () => {
    const newer =
      used().disk.image().files.get('raft/log/00000001.wal')?.slice() ?? new Uint8Array(0);
    newer[11] = 2;
    // A release with another version has another header after it.
    newer.fill(9, 12, 60);
    const error = refusal(withFile('00000001.wal', newer));
    expect(error.code).toBe('newerVersion');
    expect(error.message).toContain('raft/log/00000001.wal was written in format 2');
  });

  test.each([
    ['ENOSPC', 'Free some space'],
    ['EROFS', 'Make the directory writable'],
    ['EIO', 'Check the disk'],
  ])('a disk that answers %s', (code, remedy) => {
    const image = used().disk.image();
    for (const kind of [
      'makeDirectory',
      'lock',
      'list',
      'read',
      'openAppend',
      'append',
      'sync',
      'rename',
    ]) {
      const machine = makeMachine({
        image,
        decide: (call) => (call.kind === kind ? { delayUs: 10, error: code } : { delayUs: 10 }),
      });
      const error = refusal(machine);
      expect(error.code).toBe('unusable');
      expect(error.message).toContain(DIRECTORY);
      expect(error.message).toContain(remedy);
      expect(reopened(machine.disk.image()).entries).toEqual([entry(1, 1)]);
    }
  });
});

describe('a log that goes on from a snapshot which is not there', () => {
  const machineWith = (dropTo: number): Machine => {
    const machine = makeMachine();
    const { log } = open(machine, { segmentBytesMax: 300 });
    for (let index = 1; index <= 20; index++) {
      append(machine, log, { hardState: hardState(index), entries: [entry(index, index)] });
    }
    compact(machine, log, 10, 10, dropTo);
    settle(machine);
    machine.disk.kill();
    return machine;
  };

  test('is whole where its entries go back to an older one', () => {
    const machine = machineWith(5);
    const snapshotHeld = { latest: snapshotAt(5, 5) };
    const { contents } = open(machine, { snapshotHeld });
    expect(contents.snapshot).toEqual(snapshotAt(5, 5));
    expect(contents.entries.at(-1)).toEqual(entry(20, 20));
    machine.disk.kill();
    expect(open(machine, { snapshotHeld }).contents).toEqual(contents);
  });

  test('has lost what lies between, and says so', () => {
    for (const latest of [undefined, snapshotAt(2, 2)]) {
      const machine = machineWith(10);
      const error = refusal(machine, { snapshotHeld: { latest } });
      expect(error.code).toBe('damaged');
      expect(error.message).toContain('what it goes on from is missing');
      const { contents } = open(machine, { snapshotHeld: { latest }, onDamage: 'repair' });
      expect(contents).toEqual({
        hardState: hardState(20),
        snapshot: latest,
        entries: [],
        lostThrough: { index: 20, term: 20 },
      });
      machine.disk.kill();
      expect(open(machine, { snapshotHeld: { latest } }).contents).toEqual(contents);
    }
  });

  test('does not mind a newer one', () => {
    const machine = machineWith(10);
    const { contents } = open(machine, { snapshotHeld: { latest: snapshotAt(15, 15) } });
    expect(contents.snapshot).toEqual(snapshotAt(10, 10));
    expect(contents.entries.at(-1)).toEqual(entry(20, 20));
  });
});

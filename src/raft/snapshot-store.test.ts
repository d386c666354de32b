import { crc32 } from 'node:zlib';

import { describe, expect, test } from 'vitest';

import type { SystemError } from '../runtime/index.ts';
import type { DiskImage } from '../sim/index.ts';
import {
  type FileSnapshotStore,
  openSnapshotStore,
  type SnapshotStoreOpening,
  type SnapshotStoreOptions,
} from './snapshot-store.ts';
import type { SnapshotSink } from './stores.ts';
import {
  answerOf,
  CLUSTER,
  type Machine,
  makeMachine,
  settle,
  snapshotAt,
} from './test-support.ts';
import { asClusterId, type SnapshotMetadata } from './types.ts';

const OPTIONS: SnapshotStoreOptions = { directory: 'snapshots', cluster: CLUSTER };

type Answer = SystemError | undefined;

function opening(
  machine: Machine,
  options: Partial<SnapshotStoreOptions> = {},
): SnapshotStoreOpening {
  return answerOf(machine.queue, (done) =>
    openSnapshotStore(machine.runtime, { ...OPTIONS, ...options }, done),
  );
}

function open(machine: Machine, options: Partial<SnapshotStoreOptions> = {}): FileSnapshotStore {
  const opened = opening(machine, options);
  if (opened.error !== undefined) throw opened.error;
  return opened.store;
}

/** Bytes that tell which snapshot they are of, and where. */
function contentOf(index: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (index * 31 + at * 7 + (at >> 8)) & 0xff);
}

function describing(index: number, term: number, length = 100 + index): SnapshotMetadata {
  return snapshotAt(index, term, length, crc32(contentOf(index, length)));
}

/** In pieces, all handed over at once. */
function write(
  sink: SnapshotSink,
  snapshot: SnapshotMetadata,
  done: (error: Answer) => void,
): void {
  const content = contentOf(snapshot.index, snapshot.sizeBytes);
  for (let start = 0; start < content.length; start += 64) {
    sink.write(content.subarray(start, start + 64), (error) => {
      if (error !== undefined) done(error);
    });
  }
  sink.finish(snapshot, done);
}

function save(machine: Machine, store: FileSnapshotStore, snapshot: SnapshotMetadata): void {
  const error = answerOf<Answer>(machine.queue, (done) => write(store.create(), snapshot, done));
  if (error !== undefined) throw error;
}

function read(
  machine: Machine,
  store: FileSnapshotStore,
  snapshot: SnapshotMetadata,
  offset = 0,
  lengthMax = 1 << 20,
): Uint8Array | undefined {
  const { error, bytes } = answerOf<{ error: Answer; bytes: Uint8Array | undefined }>(
    machine.queue,
    (done) =>
      store.read(snapshot, offset, lengthMax, (error_, bytes_) =>
        done({ error: error_, bytes: bytes_ }),
      ),
  );
  if (error !== undefined) throw error;
  return bytes;
}

function expectHolds(machine: Machine, store: FileSnapshotStore, snapshot: SnapshotMetadata): void {
  expect(store.latest).toEqual(snapshot);
  expect(read(machine, store, snapshot)).toEqual(contentOf(snapshot.index, snapshot.sizeBytes));
}

const filesOf = (machine: Machine): string[] =>
  [...machine.disk.image().files.keys()].filter((path) => !path.endsWith('LOCK'));

describe('a snapshot that was finished', () => {
  test('is the current one, and is read from any offset', () => {
    const machine = makeMachine();
    const store = open(machine);
    expect(store.latest).toBeUndefined();
    const snapshot = describing(1000, 3);
    save(machine, store, snapshot);
    expectHolds(machine, store, snapshot);
    expect(read(machine, store, snapshot, 900, 50)).toEqual(contentOf(1000, 1100).slice(900, 950));
    expect(read(machine, store, snapshot, 1090, 50)).toEqual(contentOf(1000, 1100).slice(1090));
    expect(read(machine, store, snapshot, 1100, 50)).toEqual(new Uint8Array(0));
    expect(read(machine, store, describing(7, 1))).toBeUndefined();
    machine.disk.kill();
    const again = open(machine);
    expectHolds(machine, again, snapshot);
  });

  test('may be empty', () => {
    const machine = makeMachine();
    const empty = describing(5, 1, 0);
    save(machine, open(machine), empty);
    machine.disk.kill();
    expectHolds(machine, open(machine), empty);
  });

  test('leaves the one before it to whoever still reads that, and no older one', () => {
    const machine = makeMachine();
    const store = open(machine);
    const [first, second, third] = [describing(1, 1), describing(2, 1), describing(300, 2)];
    for (const each of [first, second, third]) save(machine, store, each);
    expectHolds(machine, store, third);
    expect(read(machine, store, second)).toEqual(contentOf(2, 102));
    expect(read(machine, store, first)).toBeUndefined();
    expect(filesOf(machine)).toHaveLength(2);
  });

  test('does not take the place of a newer one', () => {
    const machine = makeMachine();
    const store = open(machine);
    const slow = store.create();
    slow.write(contentOf(10, 110), () => undefined);
    save(machine, store, describing(90, 4));
    expect(
      answerOf<Answer>(machine.queue, (done) => slow.finish(describing(10, 1), done)),
    ).toBeUndefined();
    expectHolds(machine, store, describing(90, 4));
    expect(filesOf(machine)).toHaveLength(1);
  });

  test('takes the place of one with its position', () => {
    const machine = makeMachine();
    const store = open(machine);
    save(machine, store, describing(8, 2, 50));
    save(machine, store, describing(8, 2, 70));
    expectHolds(machine, store, describing(8, 2, 70));
    expect(filesOf(machine)).toHaveLength(1);
  });

  test('must be what it says', () => {
    const machine = makeMachine();
    const sink = open(machine).create();
    sink.write(contentOf(3, 103), () => undefined);
    const wrong = { ...describing(3, 1), checksum: 1 };
    sink.finish(wrong, () => undefined);
    expect(() => settle(machine)).toThrow('checksum');
  });
});

describe('a snapshot that was not finished', () => {
  test('is thrown away when it is cancelled, and when another process starts', () => {
    const machine = makeMachine();
    const store = open(machine);
    const [first, second] = [store.create(), store.create()];
    first.write(contentOf(1, 100), () => undefined);
    second.write(contentOf(2, 100), () => undefined);
    expect(answerOf<Answer>(machine.queue, (done) => first.cancel(done))).toBeUndefined();
    settle(machine);
    expect(filesOf(machine)).toEqual(['snapshots/2.new']);
    machine.disk.kill();
    expect(open(machine).latest).toBeUndefined();
    expect(filesOf(machine)).toEqual([]);
  });

  test.each(['openAppend', 'append', 'sync', 'rename', 'syncDirectory'])(
    'because of an error of %s leaves the one before it',
    (kind) => {
      let fails = false;
      const machine = makeMachine({
        decide: (call) => {
          const error = fails && call.kind === kind;
          // Once: whatever comes after it would succeed.
          if (error) fails = false;
          return error ? { delayUs: 1, error: 'ENOSPC' } : { delayUs: 1 };
        },
      });
      const store = open(machine);
      save(machine, store, describing(1, 1));
      fails = true;
      const errors: Answer[] = [];
      write(store.create(), describing(2, 1), (error) => errors.push(error));
      settle(machine);
      expect(new Set(errors.map((error) => error?.code))).toEqual(new Set(['ENOSPC']));
      expect(store.latest).toEqual(describing(1, 1));
    },
  );
});

test('a snapshot that a new process has found is not lost any more', () => {
  let fails = false;
  const machine = makeMachine({
    decide: ({ kind }) =>
      fails && kind === 'syncDirectory' ? { delayUs: 1, error: 'EIO' } : { delayUs: 1 },
  });
  const store = open(machine);
  fails = true;
  write(store.create(), describing(2, 1), () => undefined);
  settle(machine);
  fails = false;
  machine.disk.kill();
  expectHolds(machine, open(machine), describing(2, 1));
  machine.disk.crash(() => 0);
  expectHolds(machine, open(machine), describing(2, 1));
});

/** Every state after a failure at any call, while three snapshots are made. */
test('after a failure at any call the newest finished one is there, whole', () => {
  const snapshots = [describing(1, 1, 700), describing(20, 2, 900), describing(30, 2, 300)];
  let finished = 0;
  let images = 0;
  const check = (image: DiskImage): void => {
    images += 1;
    const next = makeMachine({ image });
    const store = open(next);
    const { latest } = store;
    const place = snapshots.findIndex((each) => each.index === latest?.index) + 1;
    expect(place).toBeGreaterThanOrEqual(finished);
    expect(place).toBeLessThanOrEqual(finished + 1);
    if (latest === undefined) return;
    expectHolds(next, store, snapshots[place - 1]);
    // What was shown stays, and nothing is in the way of the next one.
    next.disk.crash(() => 0);
    const again = open(next);
    expectHolds(next, again, snapshots[place - 1]);
    save(next, again, describing(99, 9));
  };
  const machine: Machine = makeMachine({
    onCall: () => {
      for (const image of [machine.disk.image(), ...machine.disk.crashStates(64)]) check(image);
    },
  });
  const store = open(machine);
  for (const snapshot of snapshots) {
    save(machine, store, snapshot);
    finished += 1;
  }
  expect(images).toBeGreaterThan(500);
});

describe('a byte that has decayed', () => {
  const machine = makeMachine();
  const store = open(machine);
  save(machine, store, describing(4, 1));
  save(machine, store, describing(9, 1));
  const image = machine.disk.image();
  const path = filesOf(machine).at(-1) ?? '';
  const content = image.files.get(path) ?? new Uint8Array(0);
  const flipped = (offset: number): DiskImage => {
    const bytes = content.with(offset, content[offset] ^ (1 << (offset & 7)));
    return { ...image, files: new Map([...image.files, [path, bytes]]) };
  };

  test('is noticed wherever it is, and refused with the file and the way out', () => {
    expect(content.length).toBeGreaterThan(150);
    for (let offset = 0; offset < content.length; offset++) {
      const { error } = opening(makeMachine({ image: flipped(offset) }));
      expect(error).toMatchObject({ code: 'damaged', path });
      expect(error?.message).toContain('Restore the file');
    }
  });

  test('makes the snapshot before it the current one, where that is wanted', () => {
    for (let offset = 0; offset < content.length; offset += 7) {
      const broken = makeMachine({ image: flipped(offset) });
      const opened = open(broken, { onDamage: 'repair' });
      expectHolds(broken, opened, describing(4, 1));
      expect(filesOf(broken)).toContain(`${path}.damaged`);
      // Also for the next process, which need not repair anything any more.
      broken.disk.kill();
      expectHolds(broken, open(broken), describing(4, 1));
    }
  });
});

describe('a store that is closed', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])(
    'finishes what it was called for before another opens, %i events after the call',
    (events) => {
      const machine = makeMachine();
      const store = open(machine);
      for (const index of [1, 2]) save(machine, store, describing(index, 1));
      let error: Answer;
      write(store.create(), describing(3, 1), (failure) => {
        error = failure;
      });
      for (let at = 0; at < events; at++) machine.queue.runNext();
      answerOf<Answer>(machine.queue, (done) => store.close(done));
      expect(error).toBeUndefined();
      const names = filesOf(machine);
      expect(names).toHaveLength(2);
      expectHolds(machine, open(machine), describing(3, 1));
      settle(machine);
      expect(filesOf(machine)).toEqual(names);
    },
  );

  test('throws away what was not finished, and takes nothing more', () => {
    const machine = makeMachine();
    const store = open(machine);
    const begun = store.create();
    begun.write(new Uint8Array(10), () => undefined);
    expect(answerOf<Answer>(machine.queue, (done) => store.close(done))).toBeUndefined();
    expect(filesOf(machine)).toEqual([]);
    for (const sink of [begun, store.create()]) {
      let error: Answer;
      write(sink, describing(1, 1), (failure) => {
        error = failure;
      });
      expect(error?.code).toBe('EBADF');
    }
    settle(machine);
    expect(filesOf(machine)).toEqual([]);
  });
});

describe('a directory that is not this peer’s to use is refused', () => {
  const saved = (): Machine => {
    const machine = makeMachine();
    const store = open(machine);
    save(machine, store, describing(4, 1));
    answerOf<Answer>(machine.queue, (done) => store.close(done));
    return machine;
  };

  test('another process has it open', () => {
    const machine = makeMachine();
    open(machine);
    expect(opening(machine).error).toMatchObject({ code: 'locked', path: 'snapshots/LOCK' });
  });

  test('another cluster, somebody else’s files, a wrong name', () => {
    const machine = saved();
    const other = opening(machine, { cluster: asClusterId('blue') }).error;
    expect(other?.code).toBe('foreign');
    expect(other?.message).toContain('belongs to cluster green, and not to blue');
    const image = machine.disk.image();
    const withFile = (name: string, bytes: Uint8Array): Machine =>
      makeMachine({
        image: { ...image, files: new Map([...image.files, [`snapshots/${name}`, bytes]]) },
      });
    expect(opening(withFile('notes.txt', new Uint8Array(1))).error).toMatchObject({
      code: 'foreign',
      path: 'snapshots/notes.txt',
    });
    const bytes = image.files.get(filesOf(machine)[0]) ?? new Uint8Array(0);
    const name = '0000000000000005-0000000000000001.snapshot';
    expect(opening(withFile(name, bytes)).error).toMatchObject({ code: 'foreign' });
    expect(open(machine).latest).toEqual(describing(4, 1));
  });

  test('a newer version', () => {
    const machine = saved();
    const [path] = filesOf(machine);
    const image = machine.disk.image();
    const bytes = image.files.get(path)?.slice() ?? new Uint8Array(0);
    const view = new DataView(bytes.buffer);
    const footer = bytes.length - 16;
    const start = footer - view.getUint32(footer);
    view.setUint32(start, 2);
    view.setUint32(footer + 4, crc32(bytes.subarray(start, footer + 4)));
    const { error } = opening(
      makeMachine({ image: { ...image, files: new Map([[path, bytes]]) } }),
    );
    expect(error).toMatchObject({ code: 'newerVersion', path });
    expect(error?.message).toContain('format 2');
  });

  test.each(['makeDirectory', 'lock', 'list', 'read', 'size'])(
    'a disk that fails at %s',
    (kind) => {
      const machine = makeMachine({
        image: saved().disk.image(),
        decide: (call) => (call.kind === kind ? { delayUs: 1, error: 'EROFS' } : { delayUs: 1 }),
      });
      const { error } = opening(machine);
      expect(error?.code).toBe('unusable');
      expect(error?.message).toContain('Make the directory writable');
    },
  );
});

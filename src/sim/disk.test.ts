import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AppendFile, Done, FileLock, SystemError } from '../runtime/index.ts';
import { chooseBy } from './crash-states.ts';
import { SimDisk } from './disk.ts';
import type { DiskImage, DiskOutcome, DiskCall } from './index.ts';
import { SECTOR_BYTES } from './disk-files.ts';
import { EventQueue } from './event-queue.ts';
import { Stream } from './keyed-random.ts';

type Waiting<T> = (done: Done<T>) => void;

function makeDisk(decide?: (call: DiskCall) => DiskOutcome) {
  const queue = new EventQueue();
  const calls: DiskCall[] = [];
  const disk = new SimDisk({
    schedule: (delayUs, run) => queue.schedule(delayUs, run),
    onCall: (call) => calls.push(call),
    ...(decide === undefined ? {} : { decide }),
  });
  /** Makes a call and lets time pass until it is answered. */
  const outcome = <T>(call: Waiting<T>): { error?: SystemError; value: T } => {
    let answer: { error?: SystemError; value: T } | undefined;
    call((error, value) => (answer = error === undefined ? { value } : { error, value }));
    if (answer !== undefined) throw new Error('answered before the call has returned');
    while (answer === undefined && queue.runNext());
    if (answer === undefined) throw new Error('never answered');
    return answer;
  };
  const wait = <T>(call: Waiting<T>): T => {
    const { error, value } = outcome(call);
    if (error !== undefined) throw error;
    return value;
  };
  const open = (path: string): AppendFile => wait((done) => disk.openAppend(path, done));
  return { disk, queue, calls, outcome, wait, open };
}

function filled(length: number, byte: number): Uint8Array {
  return new Uint8Array(length).fill(byte);
}

/** An image as text, so that images can be compared and put into sets. */
function textOf(image: DiskImage): string {
  const files = [...image.files].map(
    ([path, content]) => `${path}=${Buffer.from(content).toString('hex')}`,
  );
  return [...image.directories.map((path) => `${path}/`), ...files].join('\n');
}

function contents(images: Iterable<DiskImage>, path: string): Set<string> {
  const seen = new Set<string>();
  for (const image of images) {
    const content = image.files.get(path);
    seen.add(content === undefined ? 'missing' : Buffer.from(content).toString('latin1'));
  }
  return seen;
}

/** A disk with the file `a` of `length` ones, all of it durable. */
function makeDiskWithFile(length: number, decide?: (call: DiskCall) => DiskOutcome) {
  const made = makeDisk(decide);
  const file = made.open('a');
  made.wait((done) => file.append(filled(length, 0x31), done));
  made.wait(file.sync);
  made.wait((done) => made.disk.syncDirectory('.', done));
  return { ...made, file };
}

describe('what a power failure may leave', () => {
  test('all that was synced and nothing else, when all was synced', () => {
    const { disk } = makeDiskWithFile(1300);
    expect([...disk.crashStates()].map(textOf)).toEqual([textOf(disk.image())]);
  });

  test('each unsynced sector on its own: kept, dropped, and a later one without an earlier', () => {
    const { disk, file, wait } = makeDiskWithFile(SECTOR_BYTES);
    wait((done) => file.append(filled(SECTOR_BYTES * 2, 0x32), done));
    const one = '1'.repeat(SECTOR_BYTES);
    const two = '2'.repeat(SECTOR_BYTES);
    const hole = '\0'.repeat(SECTOR_BYTES);
    expect(contents(disk.crashStates(), 'a')).toEqual(
      new Set([
        one,
        one + two,
        one + hole,
        one + two + two,
        one + hole + two,
        one + two + hole,
        one + hole + hole,
      ]),
    );
  });

  test('a sector that was written twice may hold what the first write left', () => {
    const { disk, file, wait } = makeDiskWithFile(0);
    wait((done) => file.append(filled(3, 0x32), done));
    wait((done) => file.append(filled(3, 0x33), done));
    expect(contents(disk.crashStates(), 'a')).toEqual(
      new Set(['', '\0\0\0', '222', '\0\0\0\0\0\0', '222\0\0\0', '222333']),
    );
  });

  test('a truncation has happened or not; what was written after it needs it', () => {
    const { disk, file, wait } = makeDiskWithFile(6);
    wait((done) => file.truncate(2, done));
    wait((done) => file.append(filled(1, 0x32), done));
    expect(contents(disk.crashStates(), 'a')).toEqual(new Set(['111111', '11', '112', '11\0']));
    wait(file.sync);
    expect(contents(disk.crashStates(), 'a')).toEqual(new Set(['112']));
  });

  test('a file whose directory was not synced may be lost although the file was', () => {
    const { disk, open, wait } = makeDisk();
    const file = open('a');
    wait((done) => file.append(filled(2, 0x31), done));
    wait(file.sync);
    expect(contents(disk.crashStates(), 'a')).toEqual(new Set(['missing', '11']));
    wait((done) => disk.syncDirectory('.', done));
    expect(contents(disk.crashStates(), 'a')).toEqual(new Set(['11']));
  });

  test('a directory that was made is there, with the files whose names were synced', () => {
    const { disk, open, wait } = makeDisk();
    wait((done) => disk.makeDirectory('x/y', done));
    open('x/y/a');
    expect(new Set([...disk.crashStates()].map(textOf))).toEqual(
      new Set(['x/\nx/y/', 'x/\nx/y/\nx/y/a=']),
    );
    wait((done) => disk.syncDirectory('x/y', done));
    expect([...disk.crashStates()].map(textOf)).toEqual(['x/\nx/y/\nx/y/a=']);
  });

  test('a rename is one step: never both names, never neither', () => {
    const { disk, wait } = makeDiskWithFile(4);
    wait((done) => disk.rename('a', 'b', done));
    const states = [...disk.crashStates()].map((image) => [...image.files.keys()].join());
    expect(new Set(states)).toEqual(new Set(['a', 'b']));
  });

  test('a removal that was not synced may not have happened', () => {
    const { disk, wait } = makeDiskWithFile(4);
    wait((done) => disk.remove('a', done));
    expect(contents(disk.crashStates(), 'a')).toEqual(new Set(['1111', 'missing']));
  });

  test('after a failed sync a good one promises nothing of what was written before', () => {
    const { disk, file, wait, outcome } = makeDiskWithFile(2, ({ kind, sequence }) =>
      kind === 'sync' && sequence === 6 ? { delayUs: 9, error: 'EIO' } : { delayUs: 9 },
    );
    wait((done) => file.append(filled(2, 0x32), done));
    expect(outcome(file.sync).error?.code).toBe('EIO');
    expect(outcome(file.sync).error).toBeUndefined();
    expect(contents(disk.crashStates(), 'a')).toContain('11\0\0');
  });

  test('a crash lets any state happen that the enumeration has, and no other', () => {
    const script = fc.array(
      fc.oneof(
        fc.record({
          kind: fc.constant('append' as const),
          length: fc.integer({ min: 1, max: 900 }),
        }),
        fc.record({
          kind: fc.constant('truncate' as const),
          length: fc.integer({ max: 600, min: 0 }),
        }),
        fc.record({
          kind: fc.constantFrom('sync', 'rename', 'syncDirectory'),
          length: fc.constant(0),
        }),
      ),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(script, fc.nat(), (steps, seed) => {
        const { disk, open, wait } = makeDisk();
        const file = open('a');
        let name = 'a';
        steps.forEach(({ kind, length }, i) => {
          const size = disk.image().files.get(name)?.length ?? 0;
          if (kind === 'append') wait((done) => file.append(filled(length, 65 + i), done));
          if (kind === 'truncate') wait((done) => file.truncate(Math.min(length, size), done));
          if (kind === 'sync') wait(file.sync);
          if (kind === 'syncDirectory') wait((done) => disk.syncDirectory('.', done));
          if (kind === 'rename') wait((done) => disk.rename(name, (name = `${name}b`), done));
        });
        const all = new Set<string>();
        let states = 0;
        for (const image of disk.crashStates(5000)) {
          all.add(textOf(image));
          states += 1;
        }
        fc.pre(states < 5000);
        const durable = textOf(disk.crashState(chooseBy('drop', new Stream(0, 'x').sequence(0))));
        expect(all).toContain(durable);
        expect(all).toContain(textOf(disk.image()));
        for (let i = 0; i < 20; i += 1) {
          const drawn = disk.crashState(chooseBy('mix', new Stream(seed, 'crash').sequence(i)));
          expect(all).toContain(textOf(drawn));
        }
      }),
      { numRuns: 150 },
    );
  });

  test('keeps every byte that was synced, whatever was appended after', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 1500 }), { maxLength: 5 });
    fc.assert(
      fc.property(lengths, lengths, fc.nat(), (before, after, seed) => {
        const { disk, file, wait } = makeDiskWithFile(1);
        for (const length of before) wait((done) => file.append(filled(length, 0x32), done));
        wait(file.sync);
        const synced = Buffer.from(disk.image().files.get('a') ?? []);
        for (const length of after) wait((done) => file.append(filled(length, 0x33), done));
        disk.crash(chooseBy('mix', new Stream(seed, 'crash').sequence(1)));
        const left = Buffer.from(disk.image().files.get('a') ?? []);
        expect(left.subarray(0, synced.length).equals(synced)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

describe('calls', () => {
  test('on one file are carried out one at a time, in the order made', () => {
    const { disk, file, queue } = makeDiskWithFile(0);
    const answered: string[] = [];
    file.append(filled(600, 0x32), () => answered.push('append'));
    file.sync(() => answered.push('sync'));
    file.append(filled(1, 0x33), () => answered.push('append again'));
    file.close(() => answered.push('close'));
    expect(disk.image().files.get('a')).toHaveLength(600);
    while (queue.runNext());
    expect(answered).toEqual(['append', 'sync', 'append again', 'close']);
    expect(disk.image().files.get('a')).toHaveLength(601);
    expect([...disk.crashStates()].some((image) => image.files.get('a')?.length === 600)).toBe(
      true,
    );
  });

  test('that are under way at a crash are never answered, and those behind them never happen', () => {
    const { disk, file, queue } = makeDiskWithFile(0);
    file.append(filled(1, 0x32), () => expect.unreachable());
    file.append(filled(1, 0x33), () => expect.unreachable());
    disk.kill();
    while (queue.runNext());
    expect(contents([disk.image()], 'a')).toEqual(new Set(['2']));
  });

  test('of a dead caller never happen', () => {
    const queue = new EventQueue();
    const disk = new SimDisk({
      schedule: (us, run) => queue.schedule(us, run),
      admit: () => false,
    });
    disk.openAppend('a', () => expect.unreachable());
    while (queue.runNext());
    expect(disk.image().files.size).toBe(0);
  });

  test('fail as a disk does: missing, full, closed, not a directory', () => {
    const { disk, file, outcome, wait } = makeDiskWithFile(10);
    expect(outcome<Uint8Array>((done) => disk.read('b', 0, 1, done)).error?.code).toBe('ENOENT');
    expect(outcome<number>((done) => disk.size('x/b', done)).error?.code).toBe('ENOENT');
    expect(outcome<readonly string[]>((done) => disk.list('a', done)).error?.code).toBe('ENOTDIR');
    expect(outcome<void>((done) => disk.remove('../a', done)).error?.code).toBe('EINVAL');
    disk.capacityBytes = 12;
    expect(outcome<void>((done) => file.append(filled(5, 0x32), done)).error?.code).toBe('ENOSPC');
    expect(contents([disk.image()], 'a')).toEqual(new Set(['111111111122']));
    expect(outcome<void>((done) => file.truncate(99, done)).error?.code).toBe('EINVAL');
    wait(file.close);
    expect(outcome(file.sync).error?.code).toBe('EBADF');
  });

  test('see a bit that has rotted', () => {
    const { disk, wait } = makeDiskWithFile(3);
    expect(disk.rot('a', 1, 0)).toBe(true);
    expect(disk.rot('a', 3, 0)).toBe(false);
    expect(Buffer.from(wait<Uint8Array>((done) => disk.read('a', 1, 9, done))).toString()).toBe(
      '01',
    );
  });

  test('lose a write or put it elsewhere, but never the last one, and only once all is synced', () => {
    const { disk, file, wait } = makeDiskWithFile(600);
    wait((done) => file.append(filled(1000, 0x32), done));
    expect(disk.settledSectors).toEqual([]);
    wait(file.sync);
    expect(disk.settledSectors).toEqual([{ path: 'a', sector: 0 }]);
    wait((done) => file.append(filled(10, 0x33), done));
    wait(file.sync);
    const [first, second, third] = disk.settledSectors;
    expect(disk.settledSectors).toHaveLength(3);
    disk.misdirectWrite(second, third);
    disk.loseWrite(first);
    const bytes = wait<Uint8Array>((done) => disk.read('a', 0, 2000, done));
    expect(bytes.subarray(0, 1024).every((byte) => byte === 0)).toBe(true);
    expect(Buffer.from(bytes.subarray(1024)).toString('latin1')).toBe(
      `${'1'.repeat(88)}${'2'.repeat(424)}${'2'.repeat(64)}${'3'.repeat(10)}`,
    );
    disk.crash(() => 0);
    expect(disk.image().files.get('a')).toEqual(bytes);
  });

  test('lock a file against everyone until it is released or the process has ended', () => {
    const { disk, outcome, wait } = makeDisk();
    const take = (): string | undefined =>
      outcome<FileLock>((done) => disk.lock('lock', done)).error?.code;
    const lock = wait<FileLock>((done) => disk.lock('lock', done));
    expect(take()).toBe('EBUSY');
    wait(lock.release);
    expect(take()).toBeUndefined();
    expect(take()).toBe('EBUSY');
    disk.kill();
    expect(take()).toBeUndefined();
  });

  test('list the names of a directory sorted by code unit', () => {
    const { disk, open, wait } = makeDisk();
    for (const name of ['b', 'B', 'a10', 'a9', 'é']) open(name);
    expect(wait<readonly string[]>((done) => disk.list('.', done))).toEqual([
      'B',
      'a10',
      'a9',
      'b',
      'é',
    ]);
  });
});

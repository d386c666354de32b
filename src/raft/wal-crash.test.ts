/**
 * What the log holds after a power failure at any moment, and after any byte has decayed.
 *
 * A script of batches is carried out on the simulated disk. After each of its calls, each state
 * that a failure may leave then (which of the unsynced sectors and directory entries are there, and
 * how long files are) is recovered from. The log must be as it was after one of the batches, not
 * earlier than the last that was acknowledged.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import type { SystemError } from '../runtime/index.ts';
import type { DiskImage } from '../sim/index.ts';
import type { LogBatch, LogContents } from './stores.ts';
import {
  answerOf,
  CLUSTER,
  entry,
  hardState,
  type Machine,
  makeMachine,
  PEER,
  snapshotAt,
} from './test-support.ts';
import { asIndex, type Entry, type HardState, type SnapshotMetadata } from './types.ts';
import { type LogOpening, type LogOptions, type OpenedLog, openLog } from './wal-open.ts';
import { comparePositions } from './wal-recovery.ts';

const OPTIONS: LogOptions = {
  directory: 'log',
  cluster: CLUSTER,
  peer: PEER,
  segmentBytesMax: 1200,
};

type Step =
  | Partial<LogBatch>
  | { readonly compact: SnapshotMetadata; readonly dropTo: number }
  | 'wait'
  | 'restart';

const long = 'x'.repeat(700);

/** Steps between two waits are taken on together: a group commit. */
const SCRIPT: readonly Step[] = [
  { hardState: hardState(1, 'm1'), entries: [entry(1, 1)] },
  'wait',
  { entries: [entry(2, 1), entry(3, 1, long)] },
  { entries: [entry(4, 1)] },
  { hardState: hardState(2, 'm2') },
  { entries: [entry(5, 2, 'x'.repeat(300))] },
  'wait',
  // Another leader takes back what was not committed.
  { hardState: hardState(3), entries: [entry(4, 3), entry(5, 3), entry(6, 3, long)] },
  'wait',
  { entries: [entry(7, 3, long)] },
  { entries: [entry(8, 3, '', 'noop')] },
  'wait',
  'restart',
  { entries: [entry(9, 3, 'c', 'configuration')] },
  'wait',
  { compact: snapshotAt(8, 3), dropTo: 6 },
  { entries: [entry(10, 3, long)] },
  'wait',
  { hardState: hardState(4, 'm3') },
  { entries: [entry(11, 4, long)] },
  'wait',
  { hardState: hardState(6), snapshot: snapshotAt(40, 6), entries: [] },
  { entries: [entry(41, 6, long)] },
  'wait',
  'restart',
  { entries: [entry(42, 6)] },
  { compact: snapshotAt(42, 6), dropTo: 42 },
  'wait',
  { entries: [entry(43, 6, 'x'.repeat(3000))] },
  'wait',
];

/** How the log stands after a batch. */
interface State {
  readonly hardState: HardState;
  readonly snapshot: SnapshotMetadata | undefined;
  readonly entries: readonly Entry[];
}

function after(state: State, step: Exclude<Step, string>): State {
  if ('compact' in step) return { ...state, snapshot: step.compact };
  const { snapshot = state.snapshot, entries = [] } = step;
  const old = step.snapshot === undefined ? state.entries : [];
  const first = entries[0]?.index ?? Infinity;
  return {
    hardState: step.hardState ?? state.hardState,
    snapshot,
    entries: [...old.filter(({ index }) => index < first), ...entries],
  };
}

/** Whether these are the contents in that state, but for entries that a snapshot covers. */
function isIn(state: State, contents: LogContents): boolean {
  const snapshotIndex = state.snapshot?.index ?? 0;
  const first = contents.entries[0]?.index ?? snapshotIndex + 1;
  const expected = state.entries.filter(({ index }) => index >= first);
  return (
    first <= snapshotIndex + 1 &&
    contents.lostThrough === undefined &&
    textOf({ ...state, entries: expected }) === textOf(contents)
  );
}

function textOf({ hardState: hard, snapshot, entries }: State): string {
  const lines = entries.map(
    (each) => `${each.index} ${each.term} ${each.kind} ${String(each.bytes)}`,
  );
  return [hard.term, hard.vote, snapshot?.index, snapshot?.term, ...lines].join('\n');
}

function opening(machine: Machine, options: Partial<LogOptions> = {}): LogOpening {
  return answerOf(machine.queue, (done) =>
    openLog(machine.runtime, { ...OPTIONS, ...options }, done),
  );
}

function open(machine: Machine, options: Partial<LogOptions> = {}): OpenedLog {
  const opened = opening(machine, options);
  if (opened.error !== undefined) throw opened.error;
  return opened;
}

interface Progress {
  /** One after each batch, from before the first. */
  readonly states: State[];
  acknowledged: number;
}

/** Carries the script out. */
function play(machine: Machine, progress: Progress): void {
  let { log } = open(machine);
  let waiting = 0;
  for (const step of SCRIPT) {
    if (step === 'restart') {
      machine.disk.kill();
      ({ log } = open(machine));
    } else if (step === 'wait') {
      while (waiting > 0 && machine.queue.runNext());
      if (waiting > 0) throw new Error('a batch was never acknowledged');
    } else {
      progress.states.push(after(progress.states[progress.states.length - 1], step));
      const count = progress.states.length - 1;
      const done = (error: SystemError | undefined): void => {
        if (error !== undefined) throw error;
        waiting -= 1;
        progress.acknowledged = count;
      };
      waiting += 1;
      if ('compact' in step) log.compact(step.compact, asIndex(step.dropTo), done);
      else log.append({ hardState: undefined, snapshot: undefined, entries: [], ...step }, done);
    }
  }
  while (machine.queue.runNext());
}

const newProgress = (): Progress => ({
  states: [{ hardState: hardState(0), snapshot: undefined, entries: [] }],
  acknowledged: 0,
});

/** The state of the script that the contents are in. */
function placeOf(contents: LogContents, states: readonly State[], from: number): number {
  const place = states.findIndex((state, index) => index >= from && isIn(state, contents));
  if (place === -1) {
    throw new Error(`neither acknowledged state ${from} nor a later one: ${textOf(contents)}`);
  }
  return place;
}

/** All states a failure may leave, or where they are very many, a spread of them. */
function* crashStates(machine: Machine, limit: number): Generator<DiskImage> {
  let count = 0;
  for (const image of machine.disk.crashStates(limit)) {
    count += 1;
    yield image;
  }
  if (count < limit) return;
  let drawn = 12345;
  for (let sample = 0; sample < limit; sample++) {
    yield machine.disk.crashState((options) => {
      drawn = (Math.imul(drawn, 1664525) + 1013904223) >>> 0;
      return (drawn >>> 8) % options;
    });
  }
}

function imageKey(image: DiskImage): string {
  return [...image.files]
    .map(([path, bytes]) => `${path} ${Buffer.from(bytes).toString('latin1')}`)
    .join('\n');
}

const LIMIT = 600;
const SECOND_LIMIT = 24;

test('after a failure at any call, recovery gives all that was acknowledged, and that for good', () => {
  const progress = newProgress();
  const seen = new Set<string>();
  const counts = { calls: 0, images: 0, secondFailures: 0 };

  const recover = (image: DiskImage, from: number, isSampled: boolean): void => {
    const secondImages: DiskImage[] = [];
    const second: Machine = makeMachine({
      image,
      onCall: () => {
        if (isSampled) secondImages.push(...crashStates(second, SECOND_LIMIT));
      },
    });
    const place = placeOf(open(second).contents, progress.states, from);
    expect(second.words.filter(({ level }) => level !== 'info')).toEqual([]);
    // What recovery has shown must outlast another failure right after it, and one during it must
    // lose nothing that was acknowledged.
    second.disk.crash(() => 0);
    expect(placeOf(open(second).contents, progress.states, place)).toBe(place);
    for (const again of secondImages) {
      counts.secondFailures += 1;
      placeOf(open(makeMachine({ image: again })).contents, progress.states, from);
    }
  };

  const machine: Machine = makeMachine({
    onCall: () => {
      counts.calls += 1;
      for (const image of [machine.disk.image(), ...crashStates(machine, LIMIT)]) {
        const key = `${progress.acknowledged} ${imageKey(image)}`;
        if (seen.has(key)) continue;
        seen.add(key);
        counts.images += 1;
        recover(image, progress.acknowledged, counts.images % 10 === 0);
      }
    },
  });
  play(machine, progress);
  expect(progress.acknowledged).toBe(progress.states.length - 1);
  expect(counts.calls).toBeGreaterThan(80);
  expect(counts.images).toBeGreaterThan(300);
  expect(counts.secondFailures).toBeGreaterThan(500);
});

test('a log goes on from whatever a failure has left', () => {
  const progress = newProgress();
  let count = 0;
  const machine: Machine = makeMachine({
    onCall: (call) => {
      if (call.kind !== 'append' && call.kind !== 'rename') return;
      for (const image of crashStates(machine, 12)) {
        const next = makeMachine({ image });
        const { log, contents } = open(next);
        const place = placeOf(contents, progress.states, progress.acknowledged);
        const last = contents.entries.at(-1) ?? contents.snapshot ?? { index: 0 };
        const step = { hardState: hardState(9, 'm2'), entries: [entry(last.index + 1, 9)] };
        const batch = { snapshot: undefined, ...step };
        answerOf(next.queue, (done) => log.append(batch, done));
        next.disk.crash(() => 0);
        expect(isIn(after(progress.states[place], step), open(next).contents)).toBe(true);
        count += 1;
      }
    },
  });
  play(machine, progress);
  expect(count).toBeGreaterThan(100);
});

/** A log of several segments, in which nothing was compacted away. */
const KEPT: ReadonlyArray<Partial<LogBatch>> = [
  { hardState: hardState(1, 'm1'), entries: [entry(1, 1), entry(2, 1)] },
  { hardState: hardState(2, 'm2'), entries: [entry(3, 2, 'x'.repeat(300))] },
  { entries: [entry(4, 2), entry(5, 2)] },
  { hardState: hardState(3), entries: [entry(5, 3), entry(6, 3)] },
  { hardState: hardState(3, 'm3') },
  { entries: [entry(7, 3, 'x'.repeat(300))] },
  { hardState: hardState(4) },
  { entries: [entry(8, 4)] },
  // What a vote is in a group of its own, before one that does not speak of it.
  { hardState: hardState(4, 'm2') },
  { entries: [entry(9, 4, 'x'.repeat(400))] },
  { hardState: hardState(5) },
];

/** The vote of the last term is in one group only, and not the last. */
const KEPT_VOTE: typeof KEPT = [
  ...KEPT,
  { hardState: hardState(5, 'm3') },
  { entries: [entry(10, 5)] },
];

const MANY_SEGMENTS = 400;
const ONE_SEGMENT = 1_000_000;

function kept(
  segmentBytesMax = MANY_SEGMENTS,
  snapshot?: SnapshotMetadata,
  batches = KEPT,
): { image: DiskImage; state: State } {
  const machine = makeMachine();
  const { log } = open(machine, { segmentBytesMax });
  let [state] = newProgress().states;
  for (const batch of batches) {
    answerOf(machine.queue, (done) =>
      log.append({ hardState: undefined, snapshot: undefined, entries: [], ...batch }, done),
    );
    state = after(state, batch);
  }
  if (snapshot !== undefined) {
    answerOf(machine.queue, (done) => log.compact(snapshot, asIndex(0), done));
    state = after(state, { compact: snapshot, dropTo: 0 });
  }
  return { image: machine.disk.image(), state };
}

function changed(
  image: DiskImage,
  path: string,
  change: (bytes: Uint8Array) => Uint8Array,
): DiskImage {
  const files = new Map(image.files);
  files.set(path, change((files.get(path) ?? new Uint8Array(0)).slice()));
  return { ...image, files };
}

const flipped = (image: DiskImage, path: string, offset: number, bit: number): DiskImage =>
  changed(image, path, (bytes) => bytes.with(offset, bytes[offset] ^ (1 << bit)));

/** Whether a peer with these contents is as safe as the one that it was. */
function expectSafe(contents: LogContents, state: State): void {
  const { hardState: hard, entries, lostThrough } = contents;
  const last = state.entries.at(-1) ?? entry(0, 0);
  expect(hard.term).toBeGreaterThanOrEqual(state.hardState.term);
  if (hard.term === state.hardState.term) expect(hard).toEqual(state.hardState);
  else expect(hard.vote).toBeUndefined();
  const end = entries.at(-1) ?? entry(0, 0);
  expect(comparePositions(lostThrough ?? end, last)).toBeGreaterThanOrEqual(0);
  const written = KEPT_VOTE.flatMap((batch) => batch.entries ?? []).map((each) =>
    JSON.stringify(each),
  );
  entries.forEach((each, place) => {
    expect(written).toContain(JSON.stringify(each));
    expect(each.index).toBe(entries[0].index + place);
  });
  expect(entries[0]?.index ?? 1).toBe(1);
}

describe.each([
  ['several segments', MANY_SEGMENTS, KEPT],
  ['several segments with a vote', MANY_SEGMENTS, KEPT_VOTE],
  ['one segment', ONE_SEGMENT, KEPT],
])('a byte that has decayed, in %s', (_name, segmentBytesMax, batches) => {
  const { image, state } = kept(segmentBytesMax, undefined, batches);
  const lastIndex = state.entries.at(-1)?.index ?? 0;
  const paths = [...image.files.keys()].filter((path) => path.endsWith('.wal'));

  test('is always noticed: the log is whole without it, or is refused with file and offset', () => {
    expect(paths.length).toBeGreaterThan(segmentBytesMax === MANY_SEGMENTS ? 3 : 0);
    let whole = 0;
    let refused = 0;
    for (const path of paths) {
      const length = image.files.get(path)?.length ?? 0;
      for (let offset = 0; offset < length; offset++) {
        for (const bit of [offset & 7, (offset + 3) & 7]) {
          const opened = opening(makeMachine({ image: flipped(image, path, offset, bit) }));
          if (opened.error === undefined) {
            whole += 1;
            expect(isIn(state, opened.contents)).toBe(true);
            continue;
          }
          refused += 1;
          expect(opened.error).toMatchObject({ code: 'damaged', path });
          const at = Number(/at byte (\d+)/.exec(opened.error.message)?.[1]);
          expect(at).toBeLessThanOrEqual(offset);
        }
      }
    }
    expect(refused).toBeGreaterThan(whole);
  });

  test('can be repaired into a log that is safe, unless what is safe has decayed with it', () => {
    let repaired = 0;
    let fatal = 0;
    for (const path of paths) {
      const length = image.files.get(path)?.length ?? 0;
      for (let offset = 0; offset < length; offset++) {
        const machine = makeMachine({ image: flipped(image, path, offset, 1) });
        const opened = opening(machine, { onDamage: 'repair' });
        if (opened.error !== undefined) {
          expect(opened.error.message).toContain('Remove this peer from the cluster');
          fatal += 1;
          continue;
        }
        if (isIn(state, opened.contents)) continue;
        repaired += 1;
        expectSafe(opened.contents, state);
        // It stays so until the log has reached again what it lost.
        machine.disk.crash(() => 0);
        const again = open(machine);
        expect(again.contents).toEqual(opened.contents);
        const next = (again.contents.entries.at(-1)?.index ?? 0) + 1;
        const entries = Array.from({ length: lastIndex + 1 - next }, (_, place) =>
          entry(next + place, 5),
        );
        answerOf(machine.queue, (done) =>
          again.log.append({ hardState: undefined, snapshot: undefined, entries }, done),
        );
        machine.disk.crash(() => 0);
        const { contents } = open(machine);
        expect(contents.lostThrough).toBeUndefined();
        expect(contents.entries).toEqual([...again.contents.entries, ...entries]);
      }
    }
    expect(repaired).toBeGreaterThan(800);
    // Of the last group's header, or of a segment's that stands alone.
    expect(fatal).toBeLessThan(300);
    expect(fatal).toBeGreaterThan(50);
  });

  test('keeps the damaged segments under another name', () => {
    const [path] = paths;
    const broken = flipped(image, path, 400, 0);
    const machine = makeMachine({ image: broken });
    open(machine, { onDamage: 'repair' });
    const { files } = machine.disk.image();
    expect(files.get(`${path}.damaged`)).toEqual(broken.files.get(path));
    expect(machine.words.map(({ message }) => message)).toContain(
      'the log is damaged: entries are lost',
    );
  });
});

const damage = fc.oneof(
  fc.record({
    kind: fc.constant('flip' as const),
    file: fc.nat(),
    offset: fc.nat(),
    bit: fc.nat(7),
  }),
  fc.record({ kind: fc.constant('zeros' as const), file: fc.nat(), sector: fc.nat() }),
  fc.record({ kind: fc.constant('missing' as const), file: fc.nat() }),
  fc.record({
    kind: fc.constant('copied' as const),
    file: fc.nat(),
    sector: fc.nat(),
    to: fc.nat(),
  }),
);
type DiskDamage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

/** Sectors of 128 bytes here, so that some groups have more than one. */
function damaged(image: DiskImage, paths: readonly string[], how: DiskDamage): DiskImage {
  // Of the last segment a tail that looks unwritten is taken for that.
  const path = paths[how.file % (paths.length - 1)];
  const bytes = image.files.get(path);
  if (bytes === undefined) return image;
  if (how.kind === 'flip') return flipped(image, path, how.offset % bytes.length, how.bit);
  if (how.kind === 'missing') {
    return { ...image, files: new Map([...image.files].filter(([each]) => each !== path)) };
  }
  const count = Math.ceil(bytes.length / 128);
  const start = (how.sector % count) * 128;
  const to = how.kind === 'copied' ? (how.to % count) * 128 : start;
  const sector = bytes.slice(start, start + 128).subarray(0, bytes.length - to);
  if (how.kind === 'zeros') sector.fill(0);
  return changed(image, path, (content) => {
    content.set(sector, to);
    return content;
  });
}

test('any damage at all: the log is whole, or refused; repaired, it is safe', () => {
  const { image, state } = kept();
  const paths = [...image.files.keys()].filter((path) => path.endsWith('.wal'));
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 3 }), (damages) => {
      const broken = damages.reduce((before, how) => damaged(before, paths, how), image);
      const refused = opening(makeMachine({ image: broken }));
      if (refused.error === undefined) expect(isIn(state, refused.contents)).toBe(true);
      const repaired = opening(makeMachine({ image: broken }), { onDamage: 'repair' });
      if (repaired.error !== undefined) return;
      if (!isIn(state, repaired.contents)) expectSafe(repaired.contents, state);
    }),
    { numRuns: 1500 },
  );
});

test('entries that are lost twice are not forgotten', () => {
  const { image } = kept();
  const machine = makeMachine({ image: flipped(image, 'log/00000001.wal', 400, 0) });
  const { log, contents } = open(machine, { onDamage: 'repair' });
  expect(contents.lostThrough).toEqual({ index: 9, term: 4 });
  for (const index of [3, 4]) {
    const entries = [entry(index, 2, 'x'.repeat(100))];
    answerOf(machine.queue, (done) =>
      log.append({ hardState: undefined, snapshot: undefined, entries }, done),
    );
  }
  const again = machine.disk.image();
  const path = [...again.files.keys()].findLast((each) => each.endsWith('.wal')) ?? '';
  const length = again.files.get(path)?.length ?? 0;
  const twice = makeMachine({ image: flipped(again, path, length - 200, 0) });
  expect(open(twice, { onDamage: 'repair' }).contents.lostThrough).toEqual({ index: 9, term: 4 });
});

test('a first group that is gone from the last segment was durable, and is not taken for torn', () => {
  const { image } = kept();
  const path = [...image.files.keys()].findLast((each) => each.endsWith('.wal')) ?? '';
  const cut = changed(image, path, (bytes) => bytes.slice(0, 120));
  expect(opening(makeMachine({ image: cut })).error).toMatchObject({ code: 'damaged', path });
  const zeros = changed(image, path, (bytes) => bytes.fill(0, 120));
  expect(opening(makeMachine({ image: zeros })).error).toMatchObject({ code: 'damaged', path });
});

test('groups of another history of the same log are not taken for its own', () => {
  const base = makeMachine();
  const { log } = open(base);
  const start = { hardState: hardState(1), snapshot: undefined, entries: [entry(1, 1)] };
  answerOf(base.queue, (done) => log.append(start, done));
  const path = 'log/00000002.wal';
  const [ours, theirs] = [1, 2].map((term) => {
    const machine = makeMachine({ image: base.disk.image() });
    const history = open(machine);
    for (const index of [2, 3]) {
      const batch = { ...start, hardState: undefined, entries: [entry(index, term)] };
      answerOf(machine.queue, (done) => history.log.append(batch, done));
    }
    return machine.disk.image();
  });
  const other = theirs.files.get(path) ?? new Uint8Array(0);
  const spliced = changed(ours, path, (bytes) => {
    bytes.set(other.subarray(other.length - 88), other.length - 88);
    return bytes;
  });
  expect(opening(makeMachine({ image: ours })).error).toBeUndefined();
  expect(opening(makeMachine({ image: spliced })).error).toMatchObject({ code: 'damaged', path });
});

test('damage that a snapshot covers costs nothing, and is reported', () => {
  const { image, state } = kept(MANY_SEGMENTS, snapshotAt(9, 4));
  const path = 'log/00000001.wal';
  const length = image.files.get(path)?.length ?? 0;
  expect(length).toBeGreaterThan(400);
  for (let offset = 0; offset < length; offset += 5) {
    const machine = makeMachine({ image: flipped(image, path, offset, 0) });
    const { contents } = open(machine);
    expect(isIn(state, contents)).toBe(true);
    expect(machine.words.map(({ message }) => message)).toContain(
      'the log is damaged: nothing that counts is lost',
    );
  }
});

/**
 * A disk that forgets: the seam's `Disk` over memory, with a page cache that a power failure
 * empties as `disk-files.ts` says.
 *
 * A call changes what readers see when it is carried out, and is answered later; a sync becomes
 * durable just before its answer. Calls on one file are carried out one at a time, in order. Who
 * decides how long a call takes, and whether it fails, is passed in.
 */
import { invariant, SystemError } from '../runtime/index.ts';
import type { AppendFile, Disk, Done, FileLock } from '../runtime/index.ts';
import { everyChoice } from './crash-states.ts';
import { FileTree, SECTOR_BYTES } from './disk-files.ts';
import type { Choose, DiskImage, SimFile } from './disk-files.ts';

export type DiskCallKind =
  | 'openAppend'
  | 'append'
  | 'sync'
  | 'truncate'
  | 'close'
  | 'read'
  | 'size'
  | 'rename'
  | 'remove'
  | 'list'
  | 'makeDirectory'
  | 'syncDirectory'
  | 'lock'
  | 'unlock';

export interface DiskCall {
  readonly kind: DiskCallKind;
  readonly path: string;
  /** Bytes to be written or read; 0 where there are none. */
  readonly bytes: number;
  /** The how-manieth call on this disk, from 1. */
  readonly sequence: number;
}

export interface DiskOutcome {
  readonly delayUs: number;
  /** Fails with this POSIX code. An append leaves `bytesWritten` of its bytes, 0 if not said. */
  readonly error?: string;
  readonly bytesWritten?: number;
}

export interface SimDiskOptions {
  /** Calls back `delayUs` later, and never before it has returned. */
  readonly schedule: (delayUs: number, run: () => void) => void;
  /** Asked before each call is carried out. Without it each takes 100 µs and succeeds. */
  readonly decide?: (call: DiskCall) => DiskOutcome;
  /** Asked first of all: false when the caller is dead, and then the call never happened. */
  readonly admit?: (call: DiskCall) => boolean;
  /** Told after each call has been carried out, before it is answered. */
  readonly onCall?: (call: DiskCall) => void;
  /** What it holds at first, all of it durable. */
  readonly image?: DiskImage;
  /** Appends that would exceed it write what fits and fail with `ENOSPC`. No bound by default. */
  readonly capacityBytes?: number;
}

export interface SectorAddress {
  readonly path: string;
  /** From the file's beginning, of `SECTOR_BYTES` each. */
  readonly sector: number;
}

const OUTCOME_DEFAULT: DiskOutcome = { delayUs: 100 };

/** What a call on an open file does when its turn comes, or just before it is answered. */
interface Steps {
  begin?(outcome: DiskOutcome): void;
  end?(outcome: DiskOutcome): void;
}

export class SimDisk implements Disk {
  capacityBytes: number;
  readonly #options: SimDiskOptions;
  #tree: FileTree;
  #sequence = 0;
  /** One higher after each crash: what was under way before it is not answered. */
  #mount = 0;
  readonly #queues = new Map<SimFile, Array<() => void>>();
  readonly #locked = new Set<SimFile>();

  constructor(options: SimDiskOptions) {
    this.#options = options;
    this.#tree = new FileTree(options.image);
    this.capacityBytes = options.capacityBytes ?? Number.MAX_SAFE_INTEGER;
  }

  openAppend(path: string, done: Done<AppendFile>): void {
    this.#call('openAppend', path, 0, done, () => this.#open(path, this.#tree.openOrCreate(path)));
  }

  read(path: string, offset: number, length: number, done: Done<Uint8Array>): void {
    invariant(isCount(offset) && isCount(length), 'offset and length are counts of bytes');
    this.#call('read', path, length, done, () => this.#tree.file(path).read(offset, length));
  }

  size(path: string, done: Done<number>): void {
    this.#call('size', path, 0, done, () => this.#tree.file(path).length);
  }

  rename(from: string, to: string, done: Done): void {
    this.#call('rename', from, 0, done, () => this.#tree.rename(from, to));
  }

  remove(path: string, done: Done): void {
    this.#call('remove', path, 0, done, () => this.#tree.remove(path));
  }

  list(directory: string, done: Done<readonly string[]>): void {
    this.#call('list', directory, 0, done, () => this.#tree.list(directory));
  }

  makeDirectory(directory: string, done: Done): void {
    this.#call('makeDirectory', directory, 0, done, () => this.#tree.makeDirectory(directory));
  }

  syncDirectory(directory: string, done: Done): void {
    this.#call('syncDirectory', directory, 0, done, () => this.#tree.syncDirectory(directory));
  }

  lock(path: string, done: Done<FileLock>): void {
    this.#call('lock', path, 0, done, () => {
      const file = this.#tree.openOrCreate(path);
      if (this.#locked.has(file)) {
        throw new SystemError('EBUSY', `${path} is locked by a process that is running`);
      }
      this.#locked.add(file);
      return { release: (released) => this.#release(path, file, released) };
    });
  }

  /** All that a reader sees now, synced or not: what a killed process leaves. */
  image(): DiskImage {
    return this.#tree.image();
  }

  /**
   * Every state that a power failure now may leave, each combination of choices once, until
   * `limit`; the first is what was synced. Their number doubles with each unsynced sector.
   */
  crashStates(limit?: number): Generator<DiskImage> {
    return everyChoice((choose) => this.#tree.afterCrash(choose), limit);
  }

  /** One such state. */
  crashState(choose: Choose): DiskImage {
    return this.#tree.afterCrash(choose);
  }

  /**
   * The machine loses power and comes back: calls under way are never answered, open files are
   * gone, and what was not synced fares as `choose` says.
   */
  crash(choose: Choose): void {
    this.restart(this.#tree.afterCrash(choose));
  }

  /** The process dies and the machine lives: calls under way are never answered, data stays. */
  kill(): void {
    this.#mount += 1;
    this.#queues.clear();
    this.#locked.clear();
  }

  /** Another disk is put in: empty, or with `image` on it. */
  restart(image?: DiskImage): void {
    this.kill();
    this.#tree = new FileTree(image);
  }

  /** Flips one bit of a file in place, durable or not. False where there is no such byte. */
  rot(path: string, offset: number, bit: number): boolean {
    const content = this.#tree.image().files.get(path);
    if (content === undefined || offset >= content.length) return false;
    this.#tree.file(path).flipBit(offset, bit);
    return true;
  }

  /** Those whose loss can be noticed, in the order of paths. */
  get settledSectors(): SectorAddress[] {
    const addresses: SectorAddress[] = [];
    for (const path of this.#tree.image().files.keys()) {
      const count = this.#tree.file(path).settledSectors;
      for (let sector = 0; sector < count; sector += 1) addresses.push({ path, sector });
    }
    return addresses;
  }

  /** A write that was acknowledged and never made: the sector is as it was before. */
  loseWrite({ path, sector }: SectorAddress): void {
    this.#tree.file(path).setSector(sector);
  }

  /** A write that went elsewhere: `to` holds it, and the sector that it was meant for is as before. */
  misdirectWrite(meant: SectorAddress, to: SectorAddress): void {
    const content = this.#tree.file(meant.path).read(meant.sector * SECTOR_BYTES, SECTOR_BYTES);
    this.#tree.file(meant.path).setSector(meant.sector);
    this.#tree.file(to.path).setSector(to.sector, content);
  }

  get bytesUsed(): number {
    return this.#tree.bytesUsed;
  }

  #open(path: string, file: SimFile): AppendFile {
    let isClosed = false;
    const submit = (kind: DiskCallKind, bytes: number, steps: Steps, done: Done): void => {
      const error = isClosed ? 'EBADF' : undefined;
      if (kind === 'close') isClosed = true;
      this.#submit(file, { kind, path, bytes }, error, steps, done);
    };
    return {
      append: (bytes, done) => {
        const begin = (outcome: DiskOutcome): void => {
          const written = outcome.error === undefined ? bytes.length : (outcome.bytesWritten ?? 0);
          file.append(bytes.subarray(0, written));
        };
        submit('append', bytes.length, { begin }, done);
      },
      sync: (done) => {
        const end = (outcome: DiskOutcome): void => {
          if (outcome.error === undefined) file.sync();
          else file.failSync();
        };
        submit('sync', 0, { end }, done);
      },
      truncate: (length, done) => {
        invariant(isCount(length), 'the length is a count of bytes');
        const begin = (outcome: DiskOutcome): void => {
          if (outcome.error === undefined) file.truncate(length);
        };
        submit('truncate', 0, { begin }, done);
      },
      close: (done) => submit('close', 0, {}, done),
    };
  }

  /** A call on an open file: carried out once those made before it have been answered. */
  #submit(
    file: SimFile,
    about: Omit<DiskCall, 'sequence'>,
    refusal: string | undefined,
    steps: Steps,
    done: Done,
  ): void {
    const call = this.#admit(about);
    if (call === undefined) return;
    this.#enqueue(file, (finished) => {
      const outcome = refusal === undefined ? this.#decide(call) : refused(refusal);
      let error = outcome.error === undefined ? undefined : failure(outcome.error, call);
      const carryOut = (step: ((outcome: DiskOutcome) => void) | undefined): void => {
        if (refusal !== undefined) return;
        try {
          step?.(outcome);
        } catch (caught) {
          if (!(caught instanceof SystemError)) throw caught;
          error = caught;
        }
        this.#options.onCall?.(call);
      };
      if (steps.end === undefined) carryOut(steps.begin);
      this.#answer(outcome.delayUs, () => {
        if (steps.end !== undefined) carryOut(steps.end);
        finished();
        done(error);
      });
    });
  }

  #enqueue(file: SimFile, start: (finished: () => void) => void): void {
    const mount = this.#mount;
    const run = (): void => {
      start(() => {
        if (mount !== this.#mount) return;
        const queue = this.#queues.get(file);
        queue?.shift();
        if (queue === undefined || queue.length === 0) this.#queues.delete(file);
        else queue[0]();
      });
    };
    const queue = this.#queues.get(file);
    if (queue === undefined) {
      this.#queues.set(file, [run]);
      run();
    } else {
      queue.push(run);
    }
  }

  #release(path: string, file: SimFile, done: Done): void {
    this.#call('unlock', path, 0, done, () => void this.#locked.delete(file));
  }

  /** A call on the tree: carried out at once. */
  #call<T>(kind: DiskCallKind, path: string, bytes: number, done: Done<T>, perform: () => T): void {
    const call = this.#admit({ kind, path, bytes });
    if (call === undefined) return;
    const outcome = this.#decide(call);
    let answer: () => void;
    try {
      if (outcome.error !== undefined) throw failure(outcome.error, call);
      const value = perform();
      answer = () => done(undefined, value);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      answer = () => refuse(done, error);
    }
    this.#options.onCall?.(call);
    this.#answer(outcome.delayUs, answer);
  }

  /** Announces a call; undefined when the caller is dead. */
  #admit(about: Omit<DiskCall, 'sequence'>): DiskCall | undefined {
    const call: DiskCall = { ...about, sequence: (this.#sequence += 1) };
    return this.#options.admit?.(call) === false ? undefined : call;
  }

  #decide(call: DiskCall): DiskOutcome {
    const outcome = this.#options.decide?.(call) ?? OUTCOME_DEFAULT;
    if (call.kind !== 'append' || outcome.error !== undefined) return outcome;
    if (this.capacityBytes === Number.MAX_SAFE_INTEGER) return outcome;
    const free = Math.max(0, this.capacityBytes - this.#tree.bytesUsed);
    if (free >= call.bytes) return outcome;
    return { delayUs: outcome.delayUs, error: 'ENOSPC', bytesWritten: free };
  }

  /** Answers later, unless the machine or the process dies before. */
  #answer(delayUs: number, run: () => void): void {
    const mount = this.#mount;
    this.#options.schedule(delayUs, () => {
      if (mount === this.#mount) run();
    });
  }
}

function refuse<T>(done: Done<T>, error: SystemError): void {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `Done` promises no value beside an error
  (done as (error: SystemError) => void)(error);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function refused(error: string): DiskOutcome {
  return { ...OUTCOME_DEFAULT, error };
}

function failure(code: string, call: DiskCall): SystemError {
  return new SystemError(code, `${code}: ${call.kind} '${call.path}'`);
}

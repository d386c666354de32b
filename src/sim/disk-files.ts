/**
 * The files of a simulated disk, and what a power failure may leave of them.
 *
 * What was synced stays. Of the rest, each piece fares on its own, since a disk may write back in
 * any order and at any time:
 * - each 512-byte sector written since the last sync holds any content that it has held since
 *   then (at first what was synced, or zeros);
 * - the file's length is any that it has had since then, or ends at a sector between them;
 * - a truncation has happened or not; if not, nothing that came after it has either (file systems
 *   log it, and what is written later goes to newly allocated blocks);
 * - each change of a directory (creation, removal, rename; a rename is one change) has happened
 *   or not.
 *
 * A file whose directory entry was not synced can be lost although the file was.
 */
import { invariant, SystemError } from '../runtime/index.ts';

export const SECTOR_BYTES = 512;

const ZERO_SECTOR = new Uint8Array(SECTOR_BYTES);

/** Takes one of `options` choices: 0 is what was synced, the last is what a reader sees now. */
export type Choose = (options: number) => number;

/** A sector written since the last sync. */
interface DirtySector {
  /** What it held since the last sync, oldest first, without its content of now. */
  readonly older: Uint8Array[];
  /** A sync has failed since it was written: a later sync does not make it durable. */
  abandoned: boolean;
}

/** A file since its last sync, or since a truncation that followed it. */
class Stretch {
  bytes: Uint8Array;
  length: number;
  /** Lengths that a crash may leave, oldest first, without the present one. */
  olderLengths: number[] = [];
  dirty = new Map<number, DirtySector>();

  constructor(bytes: Uint8Array, length: number) {
    this.bytes = bytes;
    this.length = length;
  }

  append(added: Uint8Array): void {
    const end = this.length + added.length;
    this.#touch(this.length, end);
    this.#grow(end);
    this.bytes.set(added, this.length);
    this.olderLengths.push(this.length);
    this.length = end;
  }

  /** The stretch that begins when this one is cut to `length`. */
  cut(length: number): Stretch {
    const next = new Stretch(this.bytes.slice(), length);
    next.bytes.fill(0, length);
    const lengths = this.olderLengths.map((older) => Math.min(older, length));
    next.olderLengths = [...new Set(lengths)].filter((older) => older !== length);
    for (const [sector, { older, abandoned }] of this.dirty) {
      const kept = Math.min(SECTOR_BYTES, length - sector * SECTOR_BYTES);
      if (kept <= 0) continue;
      next.dirty.set(sector, {
        older: older.map((content) => content.slice().fill(0, kept)),
        abandoned,
      });
    }
    return next;
  }

  afterCrash(choose: Choose): Uint8Array {
    const lengths = this.#lengths();
    const length = lengths[lengths.length === 1 ? 0 : choose(lengths.length)];
    const content = new Uint8Array(length);
    content.set(this.bytes.subarray(0, length));
    for (const [sector, { older }] of this.dirty) {
      const start = sector * SECTOR_BYTES;
      if (start >= length) continue;
      const version = choose(older.length + 1);
      if (version === older.length) continue;
      content.set(older[version].subarray(0, length - start), start);
    }
    return content;
  }

  /** The synced length first, the present one last, and sectors' ends between. */
  #lengths(): number[] {
    if (this.olderLengths.length === 0) return [this.length];
    const first = this.olderLengths[0];
    const between = new Set(this.olderLengths);
    const from = Math.floor(first / SECTOR_BYTES) + 1;
    for (let sector = from; sector * SECTOR_BYTES < this.length; sector += 1) {
      between.add(sector * SECTOR_BYTES);
    }
    between.delete(first);
    return [first, ...[...between].sort((a, b) => a - b), this.length];
  }

  /** Keeps the present content of the sectors that `[start, end)` is about to change. */
  #touch(start: number, end: number): void {
    const last = Math.floor((end - 1) / SECTOR_BYTES);
    for (let sector = Math.floor(start / SECTOR_BYTES); sector <= last; sector += 1) {
      const present = this.#sector(sector);
      const dirty = this.dirty.get(sector);
      if (dirty === undefined) {
        this.dirty.set(sector, { older: [present], abandoned: false });
      } else {
        dirty.older.push(present);
        dirty.abandoned = false;
      }
    }
  }

  #sector(sector: number): Uint8Array {
    const start = sector * SECTOR_BYTES;
    if (start >= this.length) return ZERO_SECTOR;
    const content = new Uint8Array(SECTOR_BYTES);
    content.set(this.bytes.subarray(start, Math.min(start + SECTOR_BYTES, this.length)));
    return content;
  }

  #grow(length: number): void {
    if (length <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(length, this.bytes.length * 2, SECTOR_BYTES * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

export class SimFile {
  readonly kind = 'file';
  /** Before the truncations since the last sync, oldest first. */
  #earlier: Stretch[] = [];
  #present: Stretch;
  /** Where the last append in this life of the machine began. */
  #lastAppendAt = 0;

  constructor(content: Uint8Array = new Uint8Array(0)) {
    this.#present = new Stretch(content.slice(), content.length);
  }

  get length(): number {
    return this.#present.length;
  }

  read(offset: number, length: number): Uint8Array {
    const { bytes, length: size } = this.#present;
    return bytes.slice(Math.min(offset, size), Math.min(offset + length, size));
  }

  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#lastAppendAt = this.length;
    this.#present.append(bytes);
  }

  /** @throws {SystemError} `EINVAL` when the file is shorter: a log is cut, never stretched. */
  truncate(length: number): void {
    if (length === this.length) return;
    if (length > this.length)
      throw new SystemError('EINVAL', 'EINVAL: truncate to a longer length');
    this.#lastAppendAt = Math.min(this.#lastAppendAt, length);
    this.#earlier.push(this.#present);
    this.#present = this.#present.cut(length);
  }

  sync(): void {
    this.#earlier = [];
    this.#present.olderLengths = [];
    for (const [sector, { abandoned }] of this.#present.dirty) {
      if (!abandoned) this.#present.dirty.delete(sector);
    }
  }

  /** The kernel takes the pages for clean now, though nobody knows what reached the platter. */
  failSync(): void {
    for (const dirty of this.#present.dirty.values()) dirty.abandoned = true;
  }

  /** Decay of what is on the platter: synced or not, the bit is another one from now on. */
  flipBit(offset: number, bit: number): void {
    invariant(offset < this.length, 'the byte to flip lies in the file');
    this.#present.bytes[offset] ^= 1 << (bit & 7);
  }

  /**
   * Whole sectors before the last append, where all is synced. To lose one of them shows, since
   * what was written after it is there; that the last append is missing, no file can tell.
   */
  get settledSectors(): number {
    const isSynced = this.#earlier.length === 0 && this.#present.dirty.size === 0;
    return isSynced ? Math.floor(this.#lastAppendAt / SECTOR_BYTES) : 0;
  }

  /** What was in the sector is gone, synced or not: it holds `content`, or zeros. */
  setSector(sector: number, content: Uint8Array = ZERO_SECTOR): void {
    invariant(sector < this.settledSectors, 'the sector is a settled one');
    this.#present.bytes.set(content, sector * SECTOR_BYTES);
  }

  /** The content after a power failure. */
  afterCrash(choose: Choose): Uint8Array {
    const stretches = [...this.#earlier, this.#present];
    const taken = stretches.length === 1 ? 0 : choose(stretches.length);
    return stretches[taken].afterCrash(choose);
  }
}

export type Entry = SimFile | SimDirectory;

/** Names that get another entry, or none, in one step. */
interface DirectoryChange {
  readonly sequence: number;
  readonly sets: ReadonlyArray<readonly [SimDirectory, string, Entry | undefined]>;
}

export class SimDirectory {
  readonly kind = 'directory';
  readonly entries = new Map<string, Entry>();
  readonly durable = new Map<string, Entry>();
  readonly pending = new Set<DirectoryChange>();
}

/** Splits a path of the `Disk` port: relative, with `/` between parts; `.` is the root. */
function partsOf(path: string): string[] {
  if (path === '.') return [];
  const parts = path.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new SystemError('EINVAL', `EINVAL: '${path}' is not a path below the disk's root`);
  }
  return parts;
}

/** What a disk holds, with names sorted: after a crash, or now. */
export interface DiskImage {
  readonly directories: readonly string[];
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Directories and files under one root. Errors are thrown as `SystemError`. */
export class FileTree {
  #root = new SimDirectory();
  #changes = 0;

  constructor(image?: DiskImage) {
    if (image === undefined) return;
    for (const directory of image.directories) this.makeDirectory(directory);
    for (const [path, content] of image.files) {
      const [directory, name] = this.#parent(path);
      const file = new SimFile(content);
      directory.entries.set(name, file);
      directory.durable.set(name, file);
    }
  }

  file(path: string): SimFile {
    const entry = this.#find(path);
    if (entry === undefined) throw new SystemError('ENOENT', `ENOENT: no file '${path}'`);
    if (entry.kind !== 'file') throw new SystemError('EISDIR', `EISDIR: '${path}' is a directory`);
    return entry;
  }

  openOrCreate(path: string): SimFile {
    if (this.#find(path) !== undefined) return this.file(path);
    const [directory, name] = this.#parent(path);
    const file = new SimFile();
    this.#change([[directory, name, file]]);
    return file;
  }

  rename(from: string, to: string): void {
    const [source, sourceName] = this.#parent(from);
    const entry = source.entries.get(sourceName);
    if (entry === undefined) throw new SystemError('ENOENT', `ENOENT: no file '${from}'`);
    const [target, targetName] = this.#parent(to);
    if (target.entries.get(targetName)?.kind === 'directory') {
      throw new SystemError('EISDIR', `EISDIR: '${to}' is a directory`);
    }
    if (source === target && sourceName === targetName) return;
    this.#change([
      [source, sourceName, undefined],
      [target, targetName, entry],
    ]);
  }

  remove(path: string): void {
    this.file(path);
    const [directory, name] = this.#parent(path);
    this.#change([[directory, name, undefined]]);
  }

  list(path: string): string[] {
    return [...this.#directory(path).entries.keys()].sort(byCodeUnit);
  }

  /** Durable at once, like that of the real disk, which syncs each parent before it answers. */
  makeDirectory(path: string): void {
    let at = this.#root;
    for (const part of partsOf(path)) {
      let next = at.entries.get(part);
      if (next === undefined) {
        next = new SimDirectory();
        at.entries.set(part, next);
      }
      if (next.kind === 'file') throw new SystemError('ENOTDIR', `ENOTDIR: '${path}'`);
      for (const change of at.pending) this.#settle(change);
      at.durable.set(part, next);
      at = next;
    }
  }

  syncDirectory(path: string): void {
    for (const change of this.#directory(path).pending) this.#settle(change);
  }

  /** All that a reader sees now. */
  image(): DiskImage {
    return imageOf(
      this.#root,
      (directory) => directory.entries,
      (file) => file.read(0, file.length),
    );
  }

  /** What a power failure leaves, one choice at a time. Changes nothing here. */
  afterCrash(choose: Choose): DiskImage {
    const pending = new Set<DirectoryChange>();
    const tops = new Map<SimDirectory, Map<string, Entry>>();
    collect(this.#root, (directory) => {
      tops.set(directory, new Map(directory.durable));
      for (const change of directory.pending) pending.add(change);
    });
    for (const change of [...pending].sort((a, b) => a.sequence - b.sequence)) {
      if (choose(2) === 0) continue;
      for (const [directory, name, entry] of change.sets) {
        const entries = tops.get(directory);
        if (entries !== undefined) set(entries, name, entry);
      }
    }
    return imageOf(
      this.#root,
      (directory) => tops.get(directory) ?? directory.durable,
      (file) => file.afterCrash(choose),
    );
  }

  get bytesUsed(): number {
    let used = 0;
    collect(this.#root, (directory) => {
      for (const entry of directory.entries.values()) {
        if (entry.kind === 'file') used += entry.length;
      }
    });
    return used;
  }

  #find(path: string): Entry | undefined {
    let at: Entry | undefined = this.#root;
    for (const part of partsOf(path)) {
      if (at?.kind !== 'directory') return undefined;
      at = at.entries.get(part);
    }
    return at;
  }

  #directory(path: string): SimDirectory {
    const entry = this.#find(path);
    if (entry === undefined) throw new SystemError('ENOENT', `ENOENT: no directory '${path}'`);
    if (entry.kind !== 'directory') throw new SystemError('ENOTDIR', `ENOTDIR: '${path}'`);
    return entry;
  }

  #parent(path: string): [SimDirectory, string] {
    const parts = partsOf(path);
    const name = parts.pop();
    if (name === undefined) throw new SystemError('EISDIR', 'EISDIR: the root is a directory');
    return [this.#directory(parts.length === 0 ? '.' : parts.join('/')), name];
  }

  #change(sets: DirectoryChange['sets']): void {
    const change = { sequence: (this.#changes += 1), sets };
    for (const [directory, name, entry] of sets) {
      set(directory.entries, name, entry);
      directory.pending.add(change);
    }
  }

  #settle(change: DirectoryChange): void {
    for (const [directory, name, entry] of change.sets) {
      set(directory.durable, name, entry);
      directory.pending.delete(change);
    }
  }
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function set(entries: Map<string, Entry>, name: string, entry: Entry | undefined): void {
  if (entry === undefined) entries.delete(name);
  else entries.set(name, entry);
}

/** Visits each directory that is reachable, now or in the durable state. */
function collect(root: SimDirectory, visit: (directory: SimDirectory) => void): void {
  const seen = new Set<SimDirectory>([root]);
  for (const directory of seen) {
    visit(directory);
    for (const entries of [directory.durable, directory.entries]) {
      for (const entry of entries.values()) if (entry.kind === 'directory') seen.add(entry);
    }
  }
}

function imageOf(
  root: SimDirectory,
  entriesOf: (directory: SimDirectory) => ReadonlyMap<string, Entry>,
  contentOf: (file: SimFile) => Uint8Array,
): DiskImage {
  const directories: string[] = [];
  const files = new Map<string, Uint8Array>();
  const walk = (directory: SimDirectory, prefix: string): void => {
    const names = [...entriesOf(directory)].sort((a, b) => byCodeUnit(a[0], b[0]));
    for (const [name, entry] of names) {
      if (entry.kind === 'file') {
        files.set(prefix + name, contentOf(entry));
      } else {
        directories.push(prefix + name);
        walk(entry, `${prefix}${name}/`);
      }
    }
  };
  walk(root, '');
  return { directories, files };
}

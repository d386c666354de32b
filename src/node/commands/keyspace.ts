/** Going through all keys. */
import type { Domain, Engine } from '../../engine/index.ts';
import { writeArrayHeader, writeBulk, writeBulkText } from '../../resp/index.ts';
import { OutputBuffer } from '../../runtime/index.ts';
import type { Call } from '../call.ts';
import type { CommandSpec } from '../command.ts';
import { ERRORS } from '../errors.ts';
import { globMatcher, type GlobMatcher } from '../glob.ts';
import type { LongCommand } from '../long-commands.ts';

const group = 'generic';

/** Buckets of the index, about as many as keys, that one step looks into. */
const BUCKETS_A_STEP = 4096;
const BYTES_A_STEP = 256 * 1024;
/** What is sent of a long reply in one go. */
const PART_BYTES = 64 * 1024;
const NO_BYTES = new Uint8Array(0);
/** What one `SCAN` looks into at most, whatever its COUNT. */
const SCAN_BUCKETS_MAX = 10_000;
const SCAN_COUNT_DEFAULT = 10;

interface CollectorOptions {
  /** No more keys than this. */
  countMax?: number;
  /** Whether they need not be kept. */
  isCountOnly?: boolean;
}

export type KeyFilter = (octets: Uint8Array, start: number, end: number) => boolean;

/** Leaves out what this node holds for other primaries; undefined: there is nothing to leave out. */
export function servedOnly({ node, session }: Call): KeyFilter | undefined {
  const { cluster } = node;
  if (cluster === undefined || session.readonlyMode || !cluster.routing.holdsReplicas) {
    return undefined;
  }
  return (octets, start, end) => cluster.isPrimaryOfKey(octets, start, end);
}

/** Collects keys step by step; `accepts` says which. */
export class KeyCollector implements LongCommand {
  count = 0;
  readonly #engine: Engine;
  readonly #domain: Domain;
  readonly #accepts: KeyFilter;
  readonly #countMax: number;
  readonly #isCountOnly: boolean;
  /** The keys as they are replied: full parts, and what is being filled. */
  readonly #parts: Uint8Array[] = [];
  readonly #keys = new OutputBuffer(1024);
  #partsReplied = 0;
  #cursor = 0;
  #bytesVisited = 0;

  constructor(call: Call, accepts: KeyFilter, options: CollectorOptions = {}) {
    this.#engine = call.engine;
    this.#domain = call.domain;
    this.#accepts = accepts;
    this.#countMax = options.countMax ?? Infinity;
    this.#isCountOnly = options.isCountOnly ?? false;
  }

  step(): boolean {
    this.#bytesVisited = 0;
    for (let buckets = 0; buckets < BUCKETS_A_STEP; buckets++) {
      if (this.#bytesVisited > BYTES_A_STEP) return false;
      this.#cursor = this.#engine.scan(this.#domain, this.#cursor, this.#visit);
      if (this.#cursor === 0 || this.count >= this.#countMax) return true;
    }
    return false;
  }

  reply(out: OutputBuffer): void {
    writeArrayHeader(out, this.count);
  }

  /** Part by part: a copy of millions of keys at once would take long. */
  replyMore(out: OutputBuffer): boolean {
    if (this.#partsReplied < this.#parts.length) {
      const part = this.#parts[this.#partsReplied];
      this.#parts[this.#partsReplied++] = NO_BYTES;
      out.append(part, 0, part.length);
      return false;
    }
    out.append(this.#keys.bytes, 0, this.#keys.length);
    return true;
  }

  readonly #visit = (ref: number): void => {
    const { arena } = this.#engine;
    const octets = arena.octets(ref);
    const start = arena.keyStart(ref);
    const end = start + arena.keyLength(ref);
    this.#bytesVisited += end - start;
    if (this.count >= this.#countMax || !this.#accepts(octets, start, end)) return;
    this.count++;
    if (this.#isCountOnly) return;
    writeBulk(this.#keys, octets, start, end);
    if (this.#keys.length < PART_BYTES) return;
    this.#parts.push(this.#keys.bytes.slice(0, this.#keys.length));
    this.#keys.clear();
  };
}

function keys(call: Call): void {
  const matches = globMatcher(call.copy(1));
  const isServed = servedOnly(call);
  const accepts: KeyFilter =
    isServed === undefined
      ? matches
      : (octets, start, end) => matches(octets, start, end) && isServed(octets, start, end);
  call.node.longCommands.start(call, new KeyCollector(call, accepts));
}

function scan(call: Call): void {
  const cursor = parseCursor(call.text(1));
  if (cursor === undefined) {
    call.fail('ERR invalid cursor');
    return;
  }
  const options = parseScanOptions(call);
  if (options !== undefined) replyScan(call, cursor, options);
}

/** As C's `strtoul` reads it, all of it. Of a number beyond 32 bits only the low ones can be ours. */
function parseCursor(text: string): number | undefined {
  if (text === '') return 0;
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const value = BigInt(text.replace('+', ''));
  if (value > 0xffff_ffff_ffff_ffffn || value < -0xffff_ffff_ffff_ffffn) return undefined;
  return Number(BigInt.asUintN(32, value));
}

interface ScanOptions {
  count: number;
  matches: GlobMatcher | undefined;
  /** Whether only keys of a type that is not ours are wanted. */
  wantsNone: boolean;
}

function parseScanOptions(call: Call): ScanOptions | undefined {
  const options: ScanOptions = { count: SCAN_COUNT_DEFAULT, matches: undefined, wantsNone: false };
  for (let i = 2; i < call.count; i += 2) {
    const hasValue = i + 1 < call.count;
    if (hasValue && call.is(i, 'count')) {
      options.count = call.integer(i + 1);
      if (Number.isNaN(options.count)) return undefined;
      if (options.count < 1) {
        call.fail(ERRORS.syntax);
        return undefined;
      }
    } else if (hasValue && call.is(i, 'match')) {
      options.matches = globMatcher(call.copy(i + 1));
    } else if (hasValue && call.is(i, 'type')) {
      options.wantsNone = !call.is(i + 1, 'string');
    } else {
      call.fail(ERRORS.syntax);
      return undefined;
    }
  }
  return options;
}

function replyScan(call: Call, from: number, options: ScanOptions): void {
  const { arena } = call.engine;
  const found: number[] = [];
  const isServed = servedOnly(call);
  const bucketsMax = Math.min(SCAN_BUCKETS_MAX, options.count * 10);
  let cursor = from;
  let buckets = 0;
  let seen = 0;
  do {
    cursor = call.engine.scan(call.domain, cursor, (ref) => {
      seen++;
      const start = arena.keyStart(ref);
      const end = start + arena.keyLength(ref);
      if (options.wantsNone) return;
      if (isServed?.(arena.octets(ref), start, end) === false) return;
      if (options.matches?.(arena.octets(ref), start, end) === false) return;
      found.push(ref);
    });
    buckets++;
  } while (cursor !== 0 && buckets < bucketsMax && seen < options.count);
  writeArrayHeader(call.out, 2);
  writeBulkText(call.out, cursor.toString());
  writeArrayHeader(call.out, found.length);
  for (const ref of found) {
    const start = arena.keyStart(ref);
    writeBulk(call.out, arena.octets(ref), start, start + arena.keyLength(ref));
  }
}

export const KEYSPACE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'keys',
    arity: 2,
    flags: ['readonly'],
    categories: ['keyspace', 'dangerous'],
    tips: ['request_policy:all_shards', 'nondeterministic_output_order'],
    group,
    summary: 'Returns all keys that match a pattern, without holding up other clients.',
    since: '1.0.0',
    complexity: 'O(N) with N the number of all keys',
    syntax: 'pattern',
    maySlow: true,
    run: keys,
  },
  {
    name: 'scan',
    arity: -2,
    flags: ['readonly'],
    tips: ['nondeterministic_output', 'request_policy:special'],
    group,
    summary: 'Returns some keys, and the cursor with which the next call goes on.',
    since: '2.8.0',
    complexity: 'O(1) a call, O(N) for all of N keys',
    syntax: 'cursor [MATCH pattern] [COUNT count] [TYPE type]',
    maySlow: true,
    run: scan,
  },
];

/** Keys, whatever is stored at them. */
import { slotOfKey } from '../../cluster/index.ts';
import {
  REPLIES,
  writeBulk,
  writeEncoded,
  writeError,
  writeInteger,
  writeNull,
  writeSimpleString,
} from '../../resp/index.ts';
import type { OutputBuffer } from '../../runtime/index.ts';
import type { Call } from '../call.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { DUTY } from '../cluster/routing.ts';
import type { CommandSpec } from '../command.ts';
import { ERRORS } from '../errors.ts';
import type { LongCommand } from '../long-commands.ts';
import { INT32_MAX, INT32_MIN } from '../numbers.ts';
import { KeyCollector, servedOnly, type KeyFilter } from './keyspace.ts';

const group = 'generic';

function del(call: Call): void {
  let removed = 0;
  for (let i = 1; i < call.count; i++) {
    const ref = call.find(i);
    if (ref === 0) continue;
    call.remove(i, ref);
    removed++;
  }
  writeInteger(call.out, removed);
}

function exists(call: Call): void {
  let found = 0;
  for (let i = 1; i < call.count; i++) if (call.peek(i) !== 0) found++;
  writeInteger(call.out, found);
}

function touch(call: Call): void {
  let found = 0;
  for (let i = 1; i < call.count; i++) if (call.read(i) !== 0) found++;
  writeInteger(call.out, found);
}

function type(call: Call): void {
  writeSimpleString(call.out, call.peek(1) === 0 ? 'none' : 'string');
}

function rename(call: Call): void {
  if (move(call, call.find(1))) call.ok();
}

function renamenx(call: Call): void {
  const ref = call.find(1);
  if (ref !== 0 && call.find(2) !== 0) writeEncoded(call.out, REPLIES.zero);
  else if (move(call, ref)) writeEncoded(call.out, REPLIES.one);
}

/** Gives the record at key 1 the name key 2; false after it has replied with an error. */
function move(call: Call, ref: number): boolean {
  if (ref === 0) {
    call.fail(ERRORS.noSuchKey);
    return false;
  }
  if (isSameKey(call)) return true;
  if (!duplicate(call, ref)) return false;
  const old = call.find(1);
  if (old !== 0) call.remove(1, old);
  return true;
}

/** Stores the value and deadline of a record at key 2. */
function duplicate(call: Call, ref: number): boolean {
  const { arena } = call.engine;
  const start = arena.valueStart(ref);
  const value = arena.octets(ref).slice(start, start + arena.valueLength(ref));
  if (!call.fitsLimits(2, value.length)) return false;
  if (!call.store(2, value, 0, value.length, arena.deadline(ref))) {
    call.fail(ERRORS.noRoom);
    return false;
  }
  return true;
}

function isSameKey(call: Call): boolean {
  const { bytes, starts, ends } = call;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    .subarray(starts[1], ends[1])
    .equals(bytes.subarray(starts[2], ends[2]));
}

function copy(call: Call): void {
  let replaces = false;
  for (let i = 3; i < call.count; i++) {
    if (call.is(i, 'replace')) {
      replaces = true;
    } else if (call.is(i, 'db') && i + 1 < call.count) {
      const database = call.integerWithin(++i, INT32_MIN, INT32_MAX);
      if (Number.isNaN(database)) return;
      if (database !== 0) {
        call.fail(ERRORS.noDatabase);
        return;
      }
    } else {
      call.fail(ERRORS.syntax);
      return;
    }
  }
  if (isSameKey(call)) {
    call.fail('ERR source and destination objects are the same');
    return;
  }
  const ref = call.readToWrite(1);
  if (ref === 0 || (!replaces && call.find(2) !== 0)) writeEncoded(call.out, REPLIES.zero);
  else if (duplicate(call, ref)) writeEncoded(call.out, REPLIES.one);
}

/** How often a random key is drawn anew where another node's was drawn. */
const DRAWS_MAX = 1000;

function randomkey(call: Call): void {
  const isServed = servedOnly(call);
  const { arena } = call.engine;
  for (let draw = 0; draw < DRAWS_MAX; draw++) {
    const ref = call.engine.randomRecord(call.domain);
    if (ref === 0) {
      call.null();
      return;
    }
    const start = arena.keyStart(ref);
    const end = start + arena.keyLength(ref);
    if (isServed?.(arena.octets(ref), start, end) === false) continue;
    writeBulk(call.out, arena.octets(ref), start, end);
    return;
  }
  if (isServed !== undefined) firstKey(call, isServed);
}

/** Some key, where hardly any of those that are held is served. */
function firstKey(call: Call, isServed: KeyFilter): void {
  const { version } = call;
  const collector = new KeyCollector(call, isServed, { countMax: 1 });
  call.node.longCommands.start(call, {
    step: () => collector.step(),
    reply: (out) => {
      if (collector.count === 0) writeNull(out, version);
      else while (!collector.replyMore(out));
    },
  });
}

function dbsize(call: Call): void {
  const { cluster } = call.node;
  const isAll = cluster === undefined || call.session.readonlyMode;
  writeInteger(call.out, isAll ? call.domain.items : cluster.itemsServed(call.domain));
}

/** All memory is given back at once, in time proportional to the segments: both modes are one. */
function flush(call: Call): void {
  if (call.count > 2 || (call.count === 2 && !call.is(1, 'async') && !call.is(1, 'sync'))) {
    call.fail(ERRORS.syntax);
    return;
  }
  const { cluster } = call.node;
  if (cluster !== undefined) {
    call.node.longCommands.start(call, new ServedKeysRemoval(call, cluster));
    return;
  }
  call.node.changes += call.domain.items;
  call.engine.flush(call.domain);
  if (call.node.tracking.isUsed) call.node.tracking.invalidateAll(call.session);
  call.ok();
}

const SHARD_MOVES = 'TRYAGAIN a shard is on its way to another node, and its keys were left';

/** Buckets of the index that one step looks into, and records that it removes, about. */
const BUCKETS_A_STEP = 2000;
const RECORDS_A_STEP = 500;

/** Removes what this node is the primary of, one by one: its followers are told of each. */
class ServedKeysRemoval implements LongCommand {
  readonly #call: Pick<Call, 'node' | 'engine' | 'domain'>;
  readonly #cluster: Cluster;
  #cursor = 0;
  /** Keys were left, since their shard is on its way to another node. */
  #hasLeftSome = false;

  constructor({ node, engine, domain }: Call, cluster: Cluster) {
    this.#call = { node, engine, domain };
    this.#cluster = cluster;
  }

  step(): boolean {
    const { engine, domain } = this.#call;
    let records = 0;
    for (let buckets = 0; buckets < BUCKETS_A_STEP && records < RECORDS_A_STEP; buckets++) {
      const refs: number[] = [];
      this.#cursor = engine.scan(domain, this.#cursor, (ref) => refs.push(ref));
      for (const ref of refs) this.#remove(ref);
      records += refs.length;
      if (this.#cursor === 0) return true;
    }
    return false;
  }

  reply(out: OutputBuffer): void {
    if (this.#hasLeftSome) writeError(out, SHARD_MOVES);
    else writeEncoded(out, REPLIES.ok);
  }

  #remove(ref: number): void {
    const { node, engine, domain } = this.#call;
    const { arena } = engine;
    const octets = arena.octets(ref);
    const start = arena.keyStart(ref);
    const end = start + arena.keyLength(ref);
    const slot = slotOfKey(octets, start, end);
    const duty = this.#cluster.routing.dutyOf(slot);
    if (duty === DUTY.frozen) this.#hasLeftSome = true;
    if (duty !== DUTY.primary) return;
    const key = octets.slice(start, end);
    engine.remove(domain, ref);
    node.keyChanged(domain, key, 0, key.length, slot, 0, undefined);
  }
}

const first = { first: 1, last: 1, step: 1 };
const all = { first: 1, last: -1, step: 1 };
const sumOfShards = ['request_policy:multi_shard', 'response_policy:agg_sum'];

export const KEY_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'del',
    arity: -2,
    flags: ['write'],
    keys: [{ ...all, access: 'RM delete' }],
    tips: sumOfShards,
    group,
    summary: 'Removes keys; returns how many there were.',
    since: '1.0.0',
    complexity: 'O(N) with N keys',
    syntax: 'key [key ...]',
    maySlow: true,
    run: del,
  },
  {
    name: 'unlink',
    arity: -2,
    flags: ['write', 'fast'],
    keys: [{ ...all, access: 'RM delete' }],
    tips: sumOfShards,
    group,
    summary: 'Removes keys, as DEL does; returns how many there were.',
    since: '4.0.0',
    complexity: 'O(N) with N keys',
    syntax: 'key [key ...]',
    maySlow: true,
    run: del,
  },
  {
    name: 'exists',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: [{ ...all, access: 'RO' }],
    tips: sumOfShards,
    group,
    summary: 'Returns how many of the keys exist; one that is named twice counts twice.',
    since: '1.0.0',
    complexity: 'O(N) with N keys',
    syntax: 'key [key ...]',
    run: exists,
  },
  {
    name: 'touch',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: [{ ...all, access: 'RO' }],
    tips: sumOfShards,
    group,
    summary: 'Marks keys as used now; returns how many of them exist.',
    since: '3.2.1',
    complexity: 'O(N) with N keys',
    syntax: 'key [key ...]',
    run: touch,
  },
  {
    name: 'type',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: [{ ...first, access: 'RO' }],
    group,
    summary: 'Returns what is stored at a key: string, or none where it does not exist.',
    since: '1.0.0',
    complexity: 'O(1)',
    syntax: 'key',
    run: type,
  },
  {
    name: 'rename',
    arity: 3,
    flags: ['write'],
    keys: [
      { ...first, access: 'RW access delete' },
      { first: 2, last: 2, step: 1, access: 'OW update' },
    ],
    group,
    summary: 'Gives a key another name; what was at that name is lost.',
    since: '1.0.0',
    complexity: 'O(N) with N the length of the value',
    syntax: 'key newkey',
    run: rename,
  },
  {
    name: 'renamenx',
    arity: 3,
    flags: ['write', 'fast'],
    keys: [
      { ...first, access: 'RW access delete' },
      { first: 2, last: 2, step: 1, access: 'OW insert' },
    ],
    group,
    summary: 'Gives a key another name that is not taken.',
    since: '1.0.0',
    complexity: 'O(N) with N the length of the value',
    syntax: 'key newkey',
    run: renamenx,
  },
  {
    name: 'copy',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: [
      { ...first, access: 'RO access' },
      { first: 2, last: 2, step: 1, access: 'OW update' },
    ],
    group,
    summary: 'Copies value and deadline of a key to another.',
    since: '6.2.0',
    complexity: 'O(N) with N the length of the value',
    syntax: 'source destination [DB destination-db] [REPLACE]',
    run: copy,
  },
  {
    name: 'randomkey',
    arity: 1,
    flags: ['readonly'],
    tips: ['request_policy:all_shards', 'nondeterministic_output'],
    group,
    summary: 'Returns some key.',
    since: '1.0.0',
    complexity: 'O(1)',
    syntax: '',
    run: randomkey,
  },
  {
    name: 'dbsize',
    arity: 1,
    flags: ['readonly', 'fast'],
    tips: ['request_policy:all_shards', 'response_policy:agg_sum'],
    group: 'server',
    categories: ['keyspace'],
    summary: 'Returns the number of keys, those included that expired and were not met since.',
    since: '1.0.0',
    complexity: 'O(1)',
    syntax: '',
    run: dbsize,
  },
  ...['flushdb', 'flushall'].map((name): CommandSpec => ({
    name,
    arity: -1,
    flags: ['write'],
    tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
    group: 'server',
    categories: ['keyspace', 'dangerous'],
    summary: 'Removes all keys.',
    since: '1.0.0',
    complexity: 'O(N) with N MiB of memory',
    syntax: '[ASYNC | SYNC]',
    maySlow: true,
    run: flush,
  })),
];

/** One run of `npm run bench:engine`: the phases, one after the other, on an engine of its own. */
import {
  Engine,
  TURN_BYTES,
  type HousekeepingState,
  type MemoryReport,
  type PolicyName,
} from '../src/engine/index.ts';
import type { Random } from '../src/runtime/index.ts';
import { timeCalls, type Timing } from './call-timer.ts';

const KEY_BYTES = 16;
const TTL_MS = 3_600_000;
/**
 * Housekeeping comes as a node does it: a round about every 100 ms, in turns of a few milliseconds'
 * distance as long as there is more to do. A turn's time is part of the call's that it comes with.
 */
const CALLS_PER_TURN = 1500;
const TURNS_PER_ROUND = 33;
/** As many turns as it takes to free or to hand over so many records, and some to spare. */
const RECORDS_PER_TURN = 200;
const IDLE_MS = 11_000;

export interface RunOptions {
  readonly items: number;
  readonly policy: PolicyName;
  readonly valueBytesMin: number;
  readonly valueBytesMax: number;
  readonly seed: number;
}

export interface Phase {
  readonly name: string;
  readonly timing: Timing;
  readonly memory: MemoryReport;
  readonly items: number;
  readonly evicted: number;
  readonly moved: number;
}

/** The same numbers in every run, so that the same calls are made. */
function sequence(seed: number): Random {
  let state = seed | 1;
  const uint32 = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  return { uint32, bytes: (length) => Uint8Array.from({ length }, () => uint32() & 255) };
}

export async function runPhases(options: RunOptions): Promise<Phase[]> {
  const { items, valueBytesMin, valueBytesMax } = options;
  const random = sequence(options.seed);
  const key = Buffer.alloc(KEY_BYTES, 'k');
  const value = Buffer.alloc(valueBytesMax, 'v');
  const recordBytes = 28 + 8 + KEY_BYTES + valueBytesMax;
  const memoryBytes = Math.max(64 * 1024 * 1024, items * recordBytes * 1.5);
  const engine = new Engine({ memoryBytes, random });
  engine.nowMs = 1_700_000_000_000;
  const deadline = engine.nowMs + TTL_MS;
  const domain = engine.addDomain(0, options.policy);
  const other = engine.addDomain(1, options.policy);
  const phases: Phase[] = [];
  let state: HousekeepingState = 'done';

  function housekeeping(index: number): void {
    if (index % CALLS_PER_TURN !== 0) return;
    if (state === 'done' && (index / CALLS_PER_TURN) % TURNS_PER_ROUND !== 0) return;
    state = engine.maintain(TURN_BYTES);
  }

  function writeKey(number: number): void {
    let rest = number;
    for (let at = KEY_BYTES - 1; at >= KEY_BYTES - 10; at--) {
      key[at] = 48 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
  }

  function set(number: number, deadlineMs: number): void {
    writeKey(number);
    const spread = valueBytesMax - valueBytesMin;
    const length = spread === 0 ? valueBytesMax : valueBytesMin + (random.uint32() % (spread + 1));
    if (!engine.set(domain, key, 0, KEY_BYTES, value, 0, length, deadlineMs)) {
      throw new Error('the engine refused a write');
    }
  }

  async function phase(name: string, calls: number, call: (index: number) => void) {
    const timing = await timeCalls(calls, (index) => {
      housekeeping(index);
      call(index);
    });
    const { evicted } = domain;
    const moved = engine.relocations;
    phases.push({ name, timing, memory: engine.report(), items: domain.items, evicted, moved });
  }

  const some = Math.min(items, 2_000_000);
  await phase(`fill ${items} items`, items, (index) => set(index, deadline + (index % 1000)));
  await phase('read at random', some, () => {
    writeKey(random.uint32() % items);
    engine.read(domain, key, 0, KEY_BYTES);
  });
  await phase('overwrite at random', some, () => set(random.uint32() % items, deadline));
  engine.setMemoryBytes(engine.usedBytes);
  await phase('insert at the limit', some, (index) => set(items + index, deadline));
  await phase('and as many again', some, (index) => set(items + some + index, deadline));
  const turns = Math.ceil(domain.items / RECORDS_PER_TURN);
  const maintain = (): void => void engine.maintain(TURN_BYTES);
  await phase('change the policy', 1, () => engine.setPolicy(domain, 'lru'));
  await phase('maintain until it is changed', turns, maintain);
  engine.nowMs = deadline + 500;
  await phase('maintain while all expires', 2000, maintain);
  // One record elsewhere, so that a flush does not find the memory to be all of one domain.
  engine.set(other, key, 0, KEY_BYTES, value, 0, valueBytesMin, 0);
  await phase('flush one domain of two', 1, () => engine.flush(domain));
  await phase('maintain until it is freed', turns, maintain);
  engine.nowMs += IDLE_MS;
  await phase('maintain, give memory back', 200, () => {
    engine.nowMs += 100;
    engine.maintain(TURN_BYTES);
  });
  return phases;
}

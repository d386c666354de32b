/**
 * `npm run bench:engine`: ten million items of 16 + 100 bytes with a deadline, then churn at the
 * memory limit. Prints memory an item, what each kind of call costs, and the longest single call.
 *
 *     npm run bench:engine -- [--items 10000000] [--policy tinylfu]
 */
import { parseArgs } from 'node:util';
import { Engine, POLICY_NAMES, type Domain } from '../src/engine/index.ts';
import { createRuntime } from '../src/runtime/node/index.ts';

const KEY_BYTES = 16;
const VALUE_BYTES = 100;

const { values: flags } = parseArgs({
  options: {
    items: { type: 'string', default: '10000000' },
    policy: { type: 'string', default: 'tinylfu' },
  },
});
const items = Number(flags.items);
const policy = POLICY_NAMES.find((name) => name === flags.policy);
if (!Number.isInteger(items) || items < 1 || policy === undefined) {
  process.stderr.write(
    `bench:engine: --items takes a whole number above 0, --policy one of ${POLICY_NAMES.join(', ')}\n`,
  );
  process.exit(2);
}

const key = Buffer.alloc(KEY_BYTES, 'k');
const value = Buffer.alloc(VALUE_BYTES, 'v');
const { random } = createRuntime();

function writeKey(number: number): void {
  let rest = number;
  for (let at = KEY_BYTES - 1; at >= KEY_BYTES - 10; at--) {
    key[at] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

interface Timing {
  nsMean: number;
  longestUs: number;
  over500us: number;
}

/** Times each call by itself, so that the longest is known. */
function time(count: number, call: (index: number) => void): Timing {
  let longest = 0;
  let total = 0;
  let over500us = 0;
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    call(index);
    const elapsed = performance.now() - start;
    total += elapsed;
    if (elapsed > longest) longest = elapsed;
    if (elapsed > 0.5) over500us++;
  }
  return { nsMean: (total * 1e6) / count, longestUs: longest * 1000, over500us };
}

function report(what: string, timing: Timing): void {
  process.stdout.write(
    `${what.padEnd(34)} ${timing.nsMean.toFixed(0).padStart(6)} ns a call` +
      `   longest ${timing.longestUs.toFixed(0).padStart(6)} us   over 500 us: ${timing.over500us}\n`,
  );
}

function set(engine: Engine, domain: Domain, deadlineMs: number): void {
  if (!engine.set(domain, key, 0, KEY_BYTES, value, 0, VALUE_BYTES, deadlineMs)) {
    throw new Error('the engine refused a write');
  }
}

function run(limitBytes: number, chosen: (typeof POLICY_NAMES)[number]): void {
  const engine = new Engine({ memoryBytes: limitBytes, random });
  engine.nowMs = Date.now();
  const domain = engine.addDomain(0, chosen);
  const deadline = engine.nowMs + 3_600_000;
  report(
    `fill ${items} items`,
    time(items, (index) => {
      writeKey(index);
      set(engine, domain, deadline + (index % 1000));
    }),
  );
  const memory = engine.report();
  process.stdout.write(
    `  items ${domain.items}  used ${memory.usedBytes}  live ${memory.liveBytes}` +
      `  index ${memory.indexBytes}  policy ${memory.policyBytes}\n` +
      `  overhead ${memory.overheadBytesPerItem.toFixed(1)} bytes an item` +
      `  fragmentation ${memory.fragmentation.toFixed(3)}\n`,
  );
  const some = Math.min(items, 2_000_000);
  report(
    'read at random',
    time(some, () => {
      writeKey(random.uint32() % items);
      engine.read(domain, key, 0, KEY_BYTES);
    }),
  );
  report(
    'overwrite at random',
    time(some, () => {
      writeKey(random.uint32() % items);
      set(engine, domain, deadline);
    }),
  );
  engine.setMemoryBytes(memory.usedBytes);
  report(
    'insert at the limit (evicts, cleans)',
    time(some, (index) => {
      writeKey(items + index);
      set(engine, domain, deadline);
    }),
  );
  const after = engine.report();
  process.stdout.write(
    `  items ${domain.items}  overhead ${after.overheadBytesPerItem.toFixed(1)} bytes an item` +
      `  evicted ${domain.evicted}  moved ${engine.relocations}\n`,
  );
  engine.nowMs = deadline + 500;
  let turns = 0;
  report(
    'maintain while all expires',
    time(2000, () => {
      turns++;
      engine.maintain(64 * 1024);
    }),
  );
  process.stdout.write(`  items left ${domain.items} after ${turns} turns\n`);
}

run(Math.max(64 * 1024 * 1024, items * 256), policy);

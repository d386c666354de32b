/** A cache node and a real `redis-server`, asked the same. */
import { setTimeout as sleep } from 'node:timers/promises';
import { startCacheNode, type RunningNode } from '../support/cache-node.ts';
import { startRedisServer, type RedisServer } from '../support/redis-server.ts';
import { WireClient } from '../support/wire-client.ts';
import { compareReplies } from './compare.ts';
import type { Sequence, Step, Token } from './requests.ts';

/** Limits that both have, so that they refuse the same. */
const VALUE_BYTES_MAX = 1024 * 1024;
const SOON_MS = 80;
/** Nothing that is due may be asked for so shortly before. */
const SOON_MARGIN_MS = 15;
const FAR_MS = 5_000_000_000;
/** Far deadlines are so much apart that no delay can change their order. */
const FAR_STEP_MS = 1_000_000;
const ATTEMPTS = 6;

export class Pair implements AsyncDisposable {
  readonly redis: RedisServer;
  readonly node: RunningNode;

  private constructor(redis: RedisServer, node: RunningNode) {
    this.redis = redis;
    this.node = node;
  }

  /** With a server that stands alone, or with one that is a cluster by itself. */
  static async start(mode: 'alone' | 'cluster' = 'alone'): Promise<Pair> {
    const redis = await startRedisServer(
      ...['--databases', '1', '--proto-max-bulk-len', `${VALUE_BYTES_MAX}`],
      ...['--maxmemory', '1gb', '--maxmemory-policy', 'allkeys-lru'],
      ...['--cluster-enabled', mode === 'cluster' ? 'yes' : 'no'],
    );
    if (mode === 'cluster') await ownAllSlots(redis.port);
    return new Pair(redis, await startCacheNode({ valueBytesMax: VALUE_BYTES_MAX }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node[Symbol.asyncDispose]();
    await this.redis.stop();
  }

  /** The first difference, in words; undefined where there is none. */
  async compare(sequence: Sequence): Promise<string | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const run = new Run(sequence, SOON_MS * 2 ** attempt);
      const outcome = await run.on(this.redis.port, this.node.port);
      if (outcome === 'not comparable') return undefined;
      if (outcome !== 'too slow') return outcome;
    }
    throw new Error('the machine is too busy for anything to be due soon');
  }
}

async function ownAllSlots(port: number): Promise<void> {
  await using client = await WireClient.to(port);
  await client.ask('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  while (!(await client.ask('CLUSTER', 'INFO')).includes('cluster_state:ok')) await sleep(20);
}

/** One attempt, in which what is due soon is due after `soonMs`. */
class Run {
  readonly #sequence: Sequence;
  readonly #soonMs: number;
  #beganAtMs = 0;
  #tokens = 0;
  /** Whether hits and misses are to be the same so far. */
  #countsAlike = true;

  constructor(sequence: Sequence, soonMs: number) {
    this.#sequence = sequence;
    this.#soonMs = soonMs;
  }

  async on(redisPort: number, ourPort: number): Promise<string | undefined> {
    await using redis = await WireClient.to(redisPort);
    await using ours = await WireClient.to(ourPort);
    const both = [redis, ours] as const;
    const protocol = ['HELLO', `${this.#sequence.version}`];
    const prepare = [protocol, ['FLUSHALL'], ['CONFIG', 'RESETSTAT']];
    await Promise.all(both.map((client) => client.exchange(prepare)));
    const segments = this.#segments();
    for (const [index, segment] of segments.entries()) {
      this.#beganAtMs = Date.now();
      const requests = segment.map((step) => step.map((token) => this.#resolve(token)));
      const found = await this.#exchange(both, requests);
      if (Date.now() > this.#beganAtMs + this.#soonMs - SOON_MARGIN_MS) return 'too slow';
      if (found !== undefined) return found;
      if (index < segments.length - 1) await this.#letExpire(both, requests);
    }
    return this.#countsAlike ? await compareCounters(both) : undefined;
  }

  /** The steps between waits. */
  #segments(): Array<Array<readonly Token[]>> {
    const segments: Array<Array<readonly Token[]>> = [[]];
    for (const step of this.#sequence.steps) {
      if (isWait(step)) segments.push([]);
      else if (step.length > 0) segments.at(-1)?.push(step);
    }
    return segments;
  }

  #resolve(token: Token): Uint8Array {
    if (typeof token === 'string') return Buffer.from(token, 'latin1');
    const far = FAR_MS + this.#tokens++ * FAR_STEP_MS;
    const delayMs = token.time.startsWith('soon') ? this.#soonMs : far;
    return Buffer.from(`${token.time.endsWith('-at') ? this.#beganAtMs + delayMs : delayMs}`);
  }

  async #exchange(
    [redis, ours]: readonly [WireClient, WireClient],
    requests: readonly Uint8Array[][],
  ): Promise<string | undefined> {
    const batches = this.#sequence.isPipelined ? [requests] : requests.map((each) => [each]);
    for (const batch of batches) {
      const [left, right] = await Promise.all([redis.exchange(batch), ours.exchange(batch)]);
      for (const [index, request] of batch.entries()) {
        const reply = left[index] ?? Buffer.from('(closed)');
        const verdict = compareReplies(request, reply, right[index] ?? Buffer.from('(closed)'));
        if (verdict.kind === 'states-part') return 'not comparable';
        if (verdict.kind === 'meant' || countsOtherwise(request, reply)) this.#countsAlike = false;
        if (verdict.kind === 'different') return `${verdict.words}\nto:    ${showRequest(request)}`;
      }
    }
    return undefined;
  }

  /** Waits until all that was due soon is past, and has both meet every key that may be due. */
  async #letExpire(both: readonly WireClient[], requests: readonly Uint8Array[][]): Promise<void> {
    await sleep(this.#soonMs + 2);
    const meet = requests.flat().map((key) => ['EXISTS', key]);
    await Promise.all(both.map((client) => client.exchange(meet)));
  }
}

/** Hits and misses of all that was asked. */
async function compareCounters(both: readonly WireClient[]): Promise<string | undefined> {
  const [left, right] = await Promise.all(both.map(readCounters));
  return left === right ? undefined : `redis: ${left}\nours:  ${right}`;
}

/**
 * Redis counts each key whose type `SCAN` looks at; and 7.0, unlike 7.2, looks for the key of
 * `BITCOUNT` and `BITPOS` before it refuses their arguments.
 */
function countsOtherwise(request: readonly Uint8Array[], reply: Buffer): boolean {
  const [name, ...rest] = request.map((word) => Buffer.from(word).toString('latin1').toLowerCase());
  if (name === 'scan') return rest.includes('type');
  return (name === 'bitcount' || name === 'bitpos') && reply[0] === 0x2d;
}

async function readCounters(client: WireClient): Promise<string> {
  const stats = String(await client.ask('INFO', 'stats'));
  return (stats.match(/keyspace_(hits|misses):\d+/g) ?? []).join(' ');
}

function isWait(step: Step): step is 'wait' {
  return step === 'wait';
}

function showRequest(request: readonly Uint8Array[]): string {
  return request.map((part) => JSON.stringify(Buffer.from(part).toString('latin1'))).join(' ');
}

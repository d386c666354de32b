/**
 * A light load through the SDK, so that there is something to see: reads and writes of a fixed set
 * of keys at a fixed rate. A write that fails is tried again until it is accepted, as a service
 * would; from how long that took follows what an outage was for a client.
 */
import type { Timer } from '../../../runtime/index.ts';
import { clock, timers } from '../../../runtime/node/clock.ts';
import type { CacheClient } from '../../../sdk/index.ts';
import { pause } from '../pause.ts';
import { reasonOf } from './admin-line.ts';

const TICK_MS = 20;
const WRITES_A_TICK = 2;
const READS_A_TICK = 6;
const KEYS = 10_000;
const VALUE_BYTES = 1024;
const RETRY_MS = 25;
const SECOND_MS = 1000;

export interface TrafficRates {
  readonly opsPerSecond: number;
  readonly failuresPerSecond: number;
  /** Writes that were refused, and are being tried again. */
  readonly writesWaiting: number;
}

/** @param reason of the first of them */
type OnOutage = (writes: number, longestMs: number, reason: string) => void;

const nowMs = (): number => clock.monotonicUs() / 1000;

export class SampleTraffic {
  readonly #cache: CacheClient;
  readonly #onOutage: OnOutage;
  readonly #value = 'x'.repeat(VALUE_BYTES);
  /** Keys whose writes are under way. */
  readonly #writing = new Set<string>();
  readonly #refused = new Set<string>();
  #outage = { writes: 0, longestMs: 0, reason: '' };
  #done: number[] = [];
  #failed: number[] = [];
  #next = 0;
  #isStopped = false;
  #nextTick: Timer;

  private constructor(cache: CacheClient, onOutage: OnOutage) {
    this.#cache = cache;
    this.#onOutage = onOutage;
    this.#nextTick = timers.after(TICK_MS, () => this.#tick());
  }

  /**
   * @param onOutage writes were refused, and all of them have been accepted since: how many they
   *   were, how long the longest took, and what the first was told
   * @throws {CachectlError} where no node can be reached
   */
  static async start(seeds: readonly string[], onOutage: OnOutage): Promise<SampleTraffic> {
    const { connect } = await import('../../../sdk/connect.ts');
    return new SampleTraffic(await connect({ seeds, onReadError: 'throw' }), onOutage);
  }

  /** Over the last second. */
  rates(): TrafficRates {
    const sinceMs = nowMs() - SECOND_MS;
    this.#done = this.#done.filter((atMs) => atMs >= sinceMs);
    this.#failed = this.#failed.filter((atMs) => atMs >= sinceMs);
    return {
      opsPerSecond: this.#done.length,
      failuresPerSecond: this.#failed.length,
      writesWaiting: this.#refused.size,
    };
  }

  async stop(): Promise<void> {
    this.#nextTick.cancel();
    this.#isStopped = true;
    await this.#cache.close();
  }

  #tick(): void {
    this.#nextTick = timers.after(TICK_MS, () => this.#tick());
    for (let i = 0; i < WRITES_A_TICK; i++) void this.#write(this.#key());
    for (let i = 0; i < READS_A_TICK; i++) void this.#read(this.#key());
  }

  /** All keys come round, in an order that jumps from shard to shard. */
  #key(): string {
    this.#next = (this.#next + 7919) % KEYS;
    return `sample:${this.#next}`;
  }

  async #read(key: string): Promise<void> {
    await this.#counted(async () => this.#cache.get(key));
  }

  async #write(key: string): Promise<void> {
    if (this.#writing.has(key)) return;
    this.#writing.add(key);
    const sinceMs = nowMs();
    const write = async () => this.#counted(async () => this.#cache.set(key, this.#value));
    let failure = await write();
    if (failure !== undefined) {
      if (this.#outage.reason === '') this.#outage.reason = failure;
      this.#refused.add(key);
      while (failure !== undefined && !this.#isStopped) {
        await pause(RETRY_MS);
        failure = await write();
      }
      this.#refused.delete(key);
      this.#outage.writes++;
      this.#outage.longestMs = Math.max(this.#outage.longestMs, nowMs() - sinceMs);
      if (this.#refused.size === 0 && !this.#isStopped) {
        const { writes, longestMs, reason } = this.#outage;
        this.#onOutage(writes, longestMs, reason);
        this.#outage = { writes: 0, longestMs: 0, reason: '' };
      }
    }
    this.#writing.delete(key);
  }

  /** @returns why it failed */
  async #counted(operation: () => Promise<unknown>): Promise<string | undefined> {
    try {
      await operation();
      this.#done.push(nowMs());
      return undefined;
    } catch (error) {
      if (!this.#isStopped) this.#failed.push(nowMs());
      return reasonOf(error);
    }
  }
}

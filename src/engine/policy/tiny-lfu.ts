/**
 * W-TinyLFU (Einziger, Friedman and Manes, 2017): a new record enters a small window in recency
 * order. When it falls out of it, it must have been used more often than the record that would go
 * for it; otherwise it goes itself. What wins goes to probation, and at its next access to the
 * protected part of the main region. Recency is served by the window, frequency by the main region,
 * and a scan passes through without washing anything out.
 *
 * Three things differ from the paper:
 *
 * - A record carries its own frequency while it is resident, exactly; the sketch only remembers
 *   the keys that have gone. So a hit never touches the sketch, and a sketch of a given size has
 *   far fewer keys to tell apart.
 * - The share of the window is found by simulating a few shares side by side (`WindowTuner`).
 * - All sizes are shares of the weight that is resident, so the policy needs to know no capacity.
 *
 * Access bits: 4 of frequency as of the last access, 17 of the clock's stamp of that access.
 *
 * While there is room for more, an access is only counted and nothing is moved: to move a record is to
 * touch its neighbours, which with a million records costs as much as to find it. When room becomes
 * short the counts are there, and they, not the order, decide between candidate and victim.
 *
 * Invariants: every resident record is in the queue that its bits name; `#bytes` has the sums of
 * their weights.
 */
import { invariant } from '../../runtime/index.ts';
import { AgingClock } from './aging-clock.ts';
import { FREQUENCY_MAX, FrequencySketch } from './frequency-sketch.ts';
import type { EvictionPolicy, PolicyLinks, TableGrowth } from './policy.ts';
import { RecordQueues } from './record-queues.ts';
import type { ChunkSource } from './table-chunks.ts';
import { WindowTuner, type WindowShare } from './window-tuner.ts';
import { Xorshift } from './xorshift.ts';

const WINDOW = 0;
const PROBATION = 1;
const PROTECTED = 2;
const QUEUES = 3;

const FREQUENCY_BITS = 4;
/** Of the main region. */
const PROTECTED_SHARE = 0.8;
/** Frequencies are halved once there have been this many requests for each resident record. */
const REQUESTS_PER_RECORD = 10;
const RECORDS_MIN = 512;
/** Records that a call moves, at most, from one queue to another to bring them to their sizes. */
const MOVES_MAX = 4;
/** After this many inserts with no victim asked for there is room, and the window may overflow. */
const INSERTS_WITHOUT_PRESSURE = 64;
/** A full cache lets the window overflow by this share of all, until `victim` decides on it. */
const WINDOW_SLACK = 0.01;
/**
 * A candidate that was used this often is let in once in 128 times although the other one was used
 * more: whoever has made some keys seem hot cannot lock the cache with them.
 */
const FREQUENCY_WARM = 6;
const WARM_ADMISSION_MASK = 127;

/**
 * The sketch has room for the past of a small cache down to the last key, at up to 64 KiB; for a
 * large one it grows at 2 bytes a record, and so takes up to 4.
 */
const SKETCH_BYTES_PER_RECORD_SMALL = 16;
const SKETCH_BYTES_SMALL = 64 * 1024;
const SKETCH_BYTES_PER_RECORD = 2;
/** It starts anew when it has become this many times too large. */
const SKETCH_SHRINK_FACTOR = 16;

export class TinyLfuPolicy implements EvictionPolicy {
  readonly #links: PolicyLinks;
  readonly #queues: RecordQueues;
  readonly #clock = new AgingClock();
  readonly #sketch: FrequencySketch;
  readonly #random: Xorshift;
  readonly #window: WindowShare;
  readonly #tuner: WindowTuner | undefined;
  /** The weight in each queue. */
  readonly #bytes = new Float64Array(QUEUES);
  #bytesResident = 0;
  readonly growth: TableGrowth = { wantedBytes: 0, isGranted: true };
  #records = 0;
  #requests = 0;
  #insertsSinceVictim = INSERTS_WITHOUT_PRESSURE;

  /**
   * @param window the window's share of the weight; without it, the policy finds it itself
   * @param memory where the sketch lies
   */
  constructor(links: PolicyLinks, seed: number, window?: WindowShare, memory?: ChunkSource) {
    this.#links = links;
    this.#sketch = new FrequencySketch(memory);
    this.#queues = new RecordQueues(links, QUEUES);
    this.#random = new Xorshift(seed);
    this.#tuner =
      window === undefined
        ? new WindowTuner((small, share) => new TinyLfuPolicy(small, this.#random.next(), share))
        : undefined;
    this.#window = window ?? this.#tuner ?? { share: 0 };
  }

  get nowSeconds(): number {
    return this.#clock.nowSeconds;
  }

  set nowSeconds(seconds: number) {
    this.#clock.nowSeconds = seconds;
  }

  get bytes(): number {
    return this.#sketch.bytes + this.#queues.bytes + this.#clock.bytes + (this.#tuner?.bytes ?? 0);
  }

  inserted(ref: number, hash: number): void {
    this.#records++;
    this.#countRequest(ref, hash);
    this.#sizeSketch();
    this.#stamp(ref, this.#sketch.frequency(hash) + 1);
    this.#push(WINDOW, ref);
    this.#drainWindow();
    this.#fillWindow();
  }

  accessed(ref: number, hash: number): void {
    this.#countRequest(ref, hash);
    this.#stamp(ref, this.frequency(ref) + 1);
    if (this.#insertsSinceVictim < INSERTS_WITHOUT_PRESSURE) this.#promote(ref);
    this.#fillWindow();
  }

  #promote(ref: number): void {
    const queue = this.#links.queue(ref);
    if (queue === PROBATION) {
      this.#move(PROBATION, PROTECTED, ref);
      this.#demote();
    } else {
      this.#queues.moveToNewest(queue, ref);
    }
  }

  removed(ref: number, hash: number): void {
    this.#records--;
    const frequency = this.frequency(ref);
    if (frequency > 0) this.#sketch.raise(hash, frequency);
    const queue = this.#links.queue(ref);
    this.#queues.remove(queue, ref);
    this.#weigh(queue, -this.#links.recordBytes(ref));
    invariant(
      this.#bytes[queue] >= 0 && (this.#records > 0 || this.#bytesResident === 0),
      'the weights of the queues are those of the resident records',
    );
  }

  relocated(_from: number, to: number): void {
    this.#queues.relocated(this.#links.queue(to), to);
  }

  resized(ref: number, bytesBefore: number, bytesAfter: number): void {
    this.#weigh(this.#links.queue(ref), bytesAfter - bytesBefore);
  }

  victim(): number {
    this.#insertsSinceVictim = 0;
    const candidate = this.#queues.oldest(WINDOW);
    const resident = this.#queues.oldest(PROBATION) || this.#queues.oldest(PROTECTED);
    if (resident === 0) return candidate;
    if (candidate === 0 || this.#bytes[WINDOW] <= this.#windowBytesMax()) return resident;
    if (!this.#admits(candidate, resident)) return candidate;
    this.#move(WINDOW, PROBATION, candidate);
    return resident;
  }

  clear(): void {
    this.#queues.clear();
    this.#sketch.clear();
    this.#tuner?.clear();
    this.#bytes.fill(0);
    this.#bytesResident = 0;
    this.#records = 0;
    this.#requests = 0;
    this.#insertsSinceVictim = INSERTS_WITHOUT_PRESSURE;
  }

  idleSeconds(ref: number): number {
    return this.#clock.secondsSince(this.#links.accessBits(ref) >>> FREQUENCY_BITS);
  }

  /** 0 to 15. */
  frequency(ref: number): number {
    const bits = this.#links.accessBits(ref);
    const halvings = this.#clock.halvingsSince(bits >>> FREQUENCY_BITS, FREQUENCY_BITS);
    return (bits & FREQUENCY_MAX) >>> halvings;
  }

  miniature(links: PolicyLinks): TinyLfuPolicy {
    return new TinyLfuPolicy(links, this.#random.next(), this.#window);
  }

  #windowBytesMax(): number {
    return this.#bytesResident * this.#window.share;
  }

  #protectedBytesMax(): number {
    return (this.#bytesResident - this.#windowBytesMax()) * PROTECTED_SHARE;
  }

  /** Frequency decides; where it is equal, the one that is there stays. */
  #admits(candidate: number, resident: number): boolean {
    const frequency = this.frequency(candidate);
    if (frequency > this.frequency(resident)) return true;
    return frequency >= FREQUENCY_WARM && (this.#random.next() & WARM_ADMISSION_MASK) === 0;
  }

  #countRequest(ref: number, hash: number): void {
    if (++this.#requests >= REQUESTS_PER_RECORD * Math.max(this.#records, RECORDS_MIN)) {
      this.#requests = 0;
      this.#sketch.halve();
      this.#clock.halve();
    }
    if (this.#tuner !== undefined && this.#insertsSinceVictim < INSERTS_WITHOUT_PRESSURE) {
      this.#tuner.request(hash, this.#links.recordBytes(ref), this.#bytesResident, this.#records);
    }
  }

  #stamp(ref: number, frequency: number): void {
    this.#links.setAccessBits(
      ref,
      (this.#clock.stamp << FREQUENCY_BITS) | Math.min(frequency, FREQUENCY_MAX),
    );
  }

  #sizeSketch(): void {
    const bytes = this.#sketch.counterBytes;
    const small = Math.min(this.#records * SKETCH_BYTES_PER_RECORD_SMALL, SKETCH_BYTES_SMALL);
    const wanted = Math.max(small, this.#records * SKETCH_BYTES_PER_RECORD);
    if (bytes < wanted) {
      this.growth.wantedBytes = bytes;
      if (!this.growth.isGranted && bytes >= SKETCH_BYTES_SMALL) return;
      this.#sketch.double();
      this.growth.wantedBytes = 0;
    } else if (bytes > SKETCH_BYTES_SMALL && bytes > wanted * SKETCH_SHRINK_FACTOR) {
      this.#sketch.clear();
    }
  }

  /** Moves on what overflows: all of it where there is room, else what `victim` can't keep up with. */
  #drainWindow(): void {
    let slack = 0;
    if (this.#insertsSinceVictim < INSERTS_WITHOUT_PRESSURE) {
      this.#insertsSinceVictim++;
      slack = this.#bytesResident * WINDOW_SLACK;
    }
    for (let moves = 0; moves < MOVES_MAX; moves++) {
      const ref = this.#queues.oldest(WINDOW);
      const bytesMax = this.#windowBytesMax() + slack;
      if (this.#bytes[WINDOW] <= bytesMax || ref === this.#queues.newest(WINDOW)) return;
      this.#move(WINDOW, PROBATION, ref);
    }
  }

  #fillWindow(): void {
    for (let moves = 0; moves < MOVES_MAX; moves++) {
      const ref = this.#queues.oldest(PROBATION);
      if (ref === 0) return;
      const bytes = this.#bytes[WINDOW] + this.#links.recordBytes(ref);
      if (bytes > this.#windowBytesMax()) return;
      this.#move(PROBATION, WINDOW, ref);
      this.#demote();
    }
  }

  #demote(): void {
    for (let moves = 0; moves < MOVES_MAX; moves++) {
      if (this.#bytes[PROTECTED] <= this.#protectedBytesMax()) return;
      this.#move(PROTECTED, PROBATION, this.#queues.oldest(PROTECTED));
    }
  }

  #move(from: number, to: number, ref: number): void {
    const bytes = this.#links.recordBytes(ref);
    this.#queues.remove(from, ref);
    this.#weigh(from, -bytes);
    this.#push(to, ref);
  }

  #push(queue: number, ref: number): void {
    this.#links.setQueue(ref, queue);
    this.#queues.pushNewest(queue, ref);
    this.#weigh(queue, this.#links.recordBytes(ref));
  }

  #weigh(queue: number, bytes: number): void {
    this.#bytes[queue] += bytes;
    this.#bytesResident += bytes;
  }
}

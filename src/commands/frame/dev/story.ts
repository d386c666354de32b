/**
 * What has happened of late, in lines: what was done here, and what the cluster made of it. Events
 * of one kind that come together are one line, and a failover is told by its receipts.
 */
import { roughSize, roughTime } from '../admin-views.ts';
import { clock } from '../../../runtime/node/clock.ts';
import type { Sight } from './admin-line.ts';

export interface StoryLine {
  readonly atMs: number;
  readonly words: string;
}

type Receipt = Sight['receipts'][number];

const wallMs = (): number => Math.floor(clock.wallUs() / 1000);

const LINES_MAX = 100;
/** Told by receipts, or seen in the table. */
const UNTOLD = new Set(['shard.failover', 'shard.switch', 'cluster.create']);

export class Story {
  #lines: StoryLine[] = [];
  readonly #hurtAtMs = new Map<string, { readonly atMs: number; readonly how: string }>();
  #lastEvent: number | undefined;
  #lastEpoch = 0;

  /** The newest last. */
  last(count: number): readonly StoryLine[] {
    return this.#lines.slice(-count);
  }

  tell(words: string, atMs = wallMs()): void {
    const lines = [...this.#lines, { atMs, words }];
    // The cluster tells of what it did a moment later.
    this.#lines = lines.toSorted((one, other) => one.atMs - other.atMs).slice(-LINES_MAX);
  }

  /** @param how completes "after it …" */
  hurt(node: string, how: string): void {
    this.#hurtAtMs.set(node, { atMs: wallMs(), how });
    this.tell(`${node} ${how}`);
  }

  /** Takes note of what is new; what was before the first look is not told. */
  see({ events, receipts }: Pick<Sight, 'events' | 'receipts'>): void {
    const epoch = Math.max(this.#lastEpoch, ...receipts.map((receipt) => receipt.epoch));
    if (this.#lastEvent !== undefined) {
      this.#tellEvents(events.filter(({ number }) => number > (this.#lastEvent ?? 0)).toReversed());
      this.#tellFailovers(receipts.filter((receipt) => receipt.epoch > this.#lastEpoch));
    }
    this.#lastEpoch = epoch;
    this.#lastEvent = Math.max(this.#lastEvent ?? 0, ...events.map(({ number }) => number));
  }

  #tellEvents(events: Sight['events']): void {
    const told = events.filter(({ operation }) => !UNTOLD.has(operation));
    for (const [operation, same] of Map.groupBy(told, (event) => event.operation)) {
      const [{ atMs, subject, words }] = same;
      const only = words === '' ? subject : `${subject}: ${words}`;
      this.tell(`${operation} ${same.length === 1 ? only : `×${same.length}`}`, atMs);
    }
  }

  #tellFailovers(receipts: readonly Receipt[]): void {
    const failovers = receipts.filter(({ kind }) => kind === 'failover');
    const key = ({ epoch, oldPrimaryName }: Receipt) => `${epoch} ${oldPrimaryName ?? ''}`;
    for (const group of Map.groupBy(failovers, key).values()) {
      const [{ oldPrimaryName, atMs }] = group;
      const name = oldPrimaryName ?? 'nobody';
      const hurt = this.#hurtAtMs.get(name);
      const since =
        hurt === undefined ? '' : ` ${inSeconds(atMs - hurt.atMs)} after it ${hurt.how}`;
      const writes = group.reduce((sum, { writesAtRisk }) => sum + writesAtRisk, 0);
      const bytes = group.reduce((sum, { bytesAtRisk }) => sum + bytesAtRisk, 0);
      const longestMs = Math.max(...group.map(({ msAtRisk }) => msAtRisk));
      const age = writes === 0 ? '' : `, of ${roughTime(longestMs)}`;
      const risk = `${writes} writes (${roughSize(bytes)}${age}) at risk`;
      this.tell(`${group.length} shards of ${name} failed over${since}; ${risk}`, atMs);
    }
  }
}

export function inSeconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(2)} s`;
}

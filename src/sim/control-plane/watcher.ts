/**
 * Somebody who follows a prefix, from peer to peer as they come and go, and keeps a copy of what is
 * there by what it is told alone.
 *
 * Checked with each telling: order, nothing twice, and that the copy is what the peers hold at that
 * revision; at the end: that nothing which was acknowledged to anyone is missing.
 */
import { asRevision, type Revision } from '../../cluster/index.ts';
import type { Entry, MetadataStore, Watch, WatchEvent } from '../../meta/index.ts';
import type { SimProcess } from '../process.ts';
import { OracleViolation, type Simulation } from '../simulation.ts';
import type { Revisions } from './revisions.ts';

export interface WatcherOptions {
  readonly simulation: Simulation;
  readonly number: number;
  readonly prefix: string;
  readonly revisions: Revisions;
  /** Peers that can be watched at now. */
  readonly hosts: () => ReadonlyArray<readonly [SimProcess, MetadataStore]>;
}

/** Before it turns to another peer when the one it had is gone. */
const TURN_US = 30_000;
/** So often it leaves a peer that serves it well. */
const LEAVES = [1, 15] as const;

export class StoreWatcher {
  readonly #options: WatcherOptions;
  readonly #copy = new Map<string, Pick<Entry, 'value' | 'modRevision'>>();
  readonly #heard = new Set<string>();
  /** Revisions that it read instead of being told of them: after the first, through the second. */
  readonly #gaps: Array<readonly [number, number]> = [];
  #told: Revision = asRevision(0);
  #host: SimProcess | undefined;
  #watch: Watch | undefined;
  #turns = 0;

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  /** Turns to a peer; to another one than now, where there is another. */
  turn(): void {
    this.#watch?.cancel();
    this.#watch = undefined;
    const { simulation, hosts, number, prefix } = this.#options;
    const all = hosts();
    const others = all.filter(([process]) => process !== this.#host);
    const from = others.length > 0 ? others : all;
    this.#turns += 1;
    if (from.length === 0) {
      this.#turnLater();
      return;
    }
    const [process, store] = simulation.stream('watchers').pick(from, number, this.#turns);
    const isMoving = this.#host !== undefined && this.#host !== process && this.#told > 0;
    simulation.sometimes(isMoving, 'control: a watch goes on at another peer');
    this.#host = process;
    const turn = this.#turns;
    process.enter(process.life, 'watch', () => {
      if (turn !== this.#turns) return;
      this.#watch = store.watch(prefix, this.#told, {
        onEvents: (revision, events) => this.#hear(revision, events),
        onCompacted: (revision) => this.#readAnew(store, revision),
      });
    });
  }

  /** The process that it may be watching at has ended. */
  ended(process: SimProcess): void {
    if (process !== this.#host) return;
    this.#watch = undefined;
    this.#turnLater();
  }

  /** What it does not know yet of what `view` holds, in words; undefined: it knows all. */
  pending(entries: readonly Entry[]): string | undefined {
    const { prefix } = this.#options;
    const wanted = wordsOf(entries.filter(({ key }) => key.startsWith(prefix)));
    if (wanted === this.#words()) return undefined;
    return `the watcher of '${prefix}' at ${this.#host?.name ?? 'nobody'} is at revision ${this.#told}`;
  }

  /** All that was acknowledged has been heard of. */
  checkComplete(): void {
    const { prefix, revisions } = this.#options;
    for (const { revision, changes } of revisions.acknowledged) {
      if (revision > this.#told || this.#gaps.some(([a, b]) => revision > a && revision <= b)) {
        continue;
      }
      for (const change of changes) {
        if (change.kind !== 'put' || !change.key.startsWith(prefix)) continue;
        if (this.#heard.has(`${revision} ${change.key} ${change.value}`)) continue;
        this.#violates(`was never told of ${change.key} ${change.value} at revision ${revision}`);
      }
    }
  }

  #turnLater(): void {
    const turn = this.#turns;
    this.#options.simulation.schedule(TURN_US, 'watcher', () => {
      if (turn === this.#turns) this.turn();
    });
  }

  #hear(revision: Revision, events: readonly WatchEvent[]): void {
    const { prefix, simulation, number } = this.#options;
    let last: number = this.#told;
    const keys = new Set<string>();
    for (const event of events) {
      const { key, modRevision } = event;
      if (!key.startsWith(prefix)) this.#violates(`is told of ${key}`);
      if (modRevision > last) keys.clear();
      if (modRevision < last || modRevision <= this.#told || keys.has(key)) {
        this.#violates(`is told of ${key} at revision ${modRevision} after ${last}`);
      }
      keys.add(key);
      last = modRevision;
      if (event.kind === 'delete') {
        if (!this.#copy.delete(key)) this.#violates(`is told that ${key} is gone, which was not`);
        continue;
      }
      this.#copy.set(key, { value: event.value, modRevision });
      this.#heard.add(`${modRevision} ${key} ${event.value}`);
    }
    if (last !== revision)
      this.#violates(`is told of revision ${revision}, and changes to ${last}`);
    this.#told = revision;
    this.#compare();
    const isLeaving = simulation.stream('watchers').chance(LEAVES, number, this.#turns, revision);
    if (isLeaving) this.turn();
  }

  #readAnew(store: MetadataStore, compactRevision: Revision): void {
    const { simulation, prefix } = this.#options;
    simulation.reachable('control: a watch has fallen out of the history');
    if (compactRevision <= this.#told) {
      this.#violates(`is told that ${compactRevision} is forgotten, and has heard ${this.#told}`);
    }
    const turn = this.#turns;
    store.read({ prefix }, (outcome) => {
      if (turn !== this.#turns) return;
      if (outcome.kind === 'refused') {
        this.#turnLater();
        return;
      }
      if (outcome.revision < compactRevision) this.#violates(`reads revision ${outcome.revision}`);
      this.#gaps.push([this.#told, outcome.revision]);
      this.#told = outcome.revision;
      this.#copy.clear();
      for (const { key, value, modRevision } of outcome.entries) {
        this.#copy.set(key, { value, modRevision });
      }
      this.#compare();
      this.#watch = store.watch(prefix, this.#told, {
        onEvents: (revision, events) => this.#hear(revision, events),
        onCompacted: (revision) => this.#readAnew(store, revision),
      });
    });
  }

  /** With what the peers held at that revision, where any was seen at it. */
  #compare(): void {
    const { prefix, revisions } = this.#options;
    const entries = revisions.stateAt(this.#told);
    if (entries === undefined) return;
    if (wordsOf(entries.filter(({ key }) => key.startsWith(prefix))) === this.#words()) return;
    this.#violates(`does not have at revision ${this.#told} what the peers hold`);
  }

  #words(): string {
    return wordsOf([...this.#copy].map(([key, version]) => ({ key, ...version })));
  }

  #violates(words: string): never {
    throw new OracleViolation('watch', `the watcher of '${this.#options.prefix}' ${words}`);
  }
}

function wordsOf(entries: ReadonlyArray<Pick<Entry, 'key' | 'value' | 'modRevision'>>): string {
  return entries
    .map(({ key, value, modRevision }) => `${key} ${value} ${modRevision}`)
    .sort()
    .join('\n');
}

/**
 * Who watches what, and how far each one has been told.
 *
 * A watch is a position in the history, so nothing is queued for it: it is told what lies between
 * its position and the newest revision, a bounded number of changes a turn of the event loop, at
 * its own pace. A watch that falls out of the history hears of that instead.
 */
import type { Revision } from '../../cluster/index.ts';
import type { Timers } from '../../runtime/index.ts';
import type { Changed, Keyspace } from './keyspace.ts';
import type { Watch, WatchEvent, WatchHandler } from './metadata-store.ts';

/** Told to one watch in one turn, unless one commit alone has more. */
const EVENTS_MAX = 1000;
/** Commits looked at for one watch in one turn. */
const COMMITS_MAX = 4096;

interface Watcher {
  readonly prefix: string;
  readonly handler: WatchHandler;
  /** Has been told all through here. */
  told: Revision;
  isOver: boolean;
}

export class Watches {
  readonly #keyspace: Keyspace;
  readonly #timers: Pick<Timers, 'defer'>;
  readonly #watchers = new Set<Watcher>();
  #isDue = false;

  constructor(keyspace: Keyspace, timers: Pick<Timers, 'defer'>) {
    this.#keyspace = keyspace;
    this.#timers = timers;
  }

  add(prefix: string, from: Revision, handler: WatchHandler): Watch {
    const watcher: Watcher = { prefix, handler, told: from, isOver: false };
    this.#watchers.add(watcher);
    this.changed();
    return { cancel: () => this.#end(watcher) };
  }

  /** The keyspace is not what it was. */
  changed(): void {
    if (this.#isDue || this.#watchers.size === 0) return;
    this.#isDue = true;
    this.#timers.defer(() => this.#tellAll());
  }

  #tellAll(): void {
    this.#isDue = false;
    for (const watcher of [...this.#watchers]) if (!watcher.isOver) this.#tell(watcher);
  }

  #tell(watcher: Watcher): void {
    const { prefix, handler, told } = watcher;
    const commits = this.#keyspace.since(told);
    if (commits === undefined) {
      this.#end(watcher);
      handler.onCompacted(this.#keyspace.compactRevision);
      return;
    }
    const events: WatchEvent[] = [];
    let last = told;
    let looked = 0;
    for (const { revision, changes } of commits) {
      if (looked === COMMITS_MAX || events.length >= EVENTS_MAX) break;
      looked++;
      for (const change of changes) {
        if (!change.key.startsWith(prefix)) continue;
        events.push(eventOf(change, revision));
        last = revision;
      }
      watcher.told = revision;
    }
    if (watcher.told < this.#keyspace.revision) this.changed();
    if (events.length > 0) handler.onEvents(last, events);
  }

  #end(watcher: Watcher): void {
    watcher.isOver = true;
    this.#watchers.delete(watcher);
  }
}

function eventOf({ key, value }: Changed, modRevision: Revision): WatchEvent {
  if (value === undefined) return { kind: 'delete', key, modRevision };
  return { kind: 'put', key, value, modRevision };
}

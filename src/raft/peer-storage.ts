/**
 * Carries out what the core wants durable, over log store and snapshot store.
 *
 * Everything is begun as early as order allows, so that the log store can make one sync of many
 * batches; only a log batch never overtakes a snapshot that is to take the log's place. Answers go
 * back in order, by the highest number through which all is done. The first error ends it all.
 */
import { invariant } from '../runtime/index.ts';
import type { SystemError } from '../runtime/index.ts';
import type { Persist, ReceivedChunk } from './effects.ts';
import type { LogStore, SnapshotSink, SnapshotStore } from './stores.ts';

interface Job {
  readonly persist: Persist;
  /** Calls under way for it; it is done at 0. */
  open: number;
}

export class PeerStorage {
  readonly #log: LogStore;
  readonly #snapshots: SnapshotStore;
  readonly #onDurable: (sequence: number) => void;
  readonly #onFailure: (error: SystemError) => void;
  /** Begun and not answered yet, in order. */
  #begun: Job[] = [];
  /** Not begun yet, behind a snapshot that is being installed. */
  #waiting: Persist[] = [];
  #isInstalling = false;
  #receiving: SnapshotSink | undefined;
  #hasFailed = false;

  constructor(
    log: LogStore,
    snapshots: SnapshotStore,
    onDurable: (sequence: number) => void,
    onFailure: (error: SystemError) => void,
  ) {
    this.#log = log;
    this.#snapshots = snapshots;
    this.#onDurable = onDurable;
    this.#onFailure = onFailure;
  }

  begin(persist: Persist): void {
    this.#waiting.push(persist);
    this.#pump();
  }

  #pump(): void {
    while (!this.#isInstalling && !this.#hasFailed) {
      const persist = this.#waiting.shift();
      if (persist === undefined) return;
      this.#start(persist);
    }
  }

  #start(persist: Persist): void {
    const { chunk, snapshot, hardState, entries, compact } = persist;
    const job: Job = { persist, open: 0 };
    this.#begun.push(job);
    if (chunk !== undefined) this.#writeChunk(chunk, this.#part(job));
    if (snapshot !== undefined) {
      const sink = this.#receiving;
      invariant(sink !== undefined, 'a snapshot is installed after its last chunk');
      this.#receiving = undefined;
      this.#isInstalling = true;
      const done = this.#part(job);
      sink.finish(snapshot, (error) => {
        this.#isInstalling = false;
        if (error === undefined) this.#log.append({ hardState, entries, snapshot }, done);
        else done(error);
        this.#pump();
      });
    } else if (hardState !== undefined || entries.length > 0) {
      this.#log.append({ hardState, entries, snapshot }, this.#part(job));
    }
    if (compact !== undefined) {
      this.#log.compact(compact.snapshot, compact.dropTo, this.#part(job));
    }
  }

  #writeChunk(
    { offset, bytes }: ReceivedChunk,
    done: (error: SystemError | undefined) => void,
  ): void {
    if (offset === 0) {
      this.#receiving?.cancel((error) => {
        if (error !== undefined) this.#fail(error);
      });
      this.#receiving = this.#snapshots.create();
    }
    invariant(this.#receiving !== undefined, 'the first chunk of a snapshot begins at 0');
    this.#receiving.write(bytes, done);
  }

  #part(job: Job): (error: SystemError | undefined) => void {
    job.open++;
    return (error) => {
      job.open--;
      if (error !== undefined) this.#fail(error);
      else if (!this.#hasFailed) this.#answer();
    };
  }

  #answer(): void {
    let sequence = 0;
    while (this.#begun.length > 0 && this.#begun[0].open === 0) {
      sequence = this.#begun[0].persist.sequence;
      this.#begun.shift();
    }
    if (sequence > 0) this.#onDurable(sequence);
  }

  #fail(error: SystemError): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#waiting = [];
    this.#onFailure(error);
  }
}

/**
 * The state machine's side of a peer: applies entries and snapshots in the order in which they were
 * committed, and takes snapshots of what has been applied.
 *
 * Restoring reads the snapshot from the disk, which takes a while; what is committed meanwhile
 * waits here. A snapshot is of the moment at which it was begun; it is written piece by piece while
 * entries are applied.
 */
import { crc32 } from 'node:zlib';
import { invariant, SystemError } from '../runtime/index.ts';
import type { SessionAnswer, SessionStateMachine } from './sessions.ts';
import { runSteps, waitFor } from './steps.ts';
import type { Steps } from './steps.ts';
import type { SnapshotStore } from './stores.ts';
import type { Entry, Index, SnapshotMetadata } from './types.ts';

const READ_BYTES = 1024 * 1024;

export interface PeerMachineHandler {
  onAnswer(answer: SessionAnswer): void;
  /** All through `index` is applied; `isRestored` where a snapshot has taken the state's place. */
  onApplied(index: Index, isRestored: boolean): void;
  onSnapshot(snapshot: SnapshotMetadata): void;
  onFailure(error: SystemError): void;
}

type Work =
  | { readonly kind: 'apply'; readonly entries: readonly Entry[] }
  | { readonly kind: 'restore'; readonly snapshot: SnapshotMetadata };

export class PeerMachine {
  readonly #machine: SessionStateMachine;
  readonly #snapshots: SnapshotStore;
  readonly #handler: PeerMachineHandler;
  #work: Work[] = [];
  #isRestoring = false;
  #isSaving = false;
  #bytesSinceSnapshot = 0;
  #applied: Index;

  /** @param applied the entry that the machine's state stands at. */
  constructor(
    machine: SessionStateMachine,
    snapshots: SnapshotStore,
    applied: Index,
    handler: PeerMachineHandler,
  ) {
    this.#machine = machine;
    this.#snapshots = snapshots;
    this.#applied = applied;
    this.#handler = handler;
  }

  /** The state is that of this entry; the core hears of it a little later. */
  get applied(): Index {
    return this.#applied;
  }

  get isSaving(): boolean {
    return this.#isSaving;
  }

  /** Of commands applied. */
  get bytesSinceSnapshot(): number {
    return this.#bytesSinceSnapshot;
  }

  apply(entries: readonly Entry[]): void {
    this.#work.push({ kind: 'apply', entries });
    this.#proceed();
  }

  restore(snapshot: SnapshotMetadata): void {
    this.#work.push({ kind: 'restore', snapshot });
    this.#proceed();
  }

  /** @param about what the state is now: its last entry, and the configuration there. */
  save(about: Pick<SnapshotMetadata, 'index' | 'term' | 'configuration'>): void {
    invariant(!this.#isSaving, 'one snapshot at a time');
    this.#isSaving = true;
    this.#bytesSinceSnapshot = 0;
    // Begun now, before anything else is applied.
    const pieces = this.#machine.snapshot();
    runSteps(this.#saveSteps(pieces, about), (outcome) => {
      this.#isSaving = false;
      if ('value' in outcome) this.#handler.onSnapshot(outcome.value);
      else this.#fail(outcome.thrown);
    });
  }

  #proceed(): void {
    while (!this.#isRestoring) {
      // A snapshot replaces all that would have been done before it.
      const from = this.#work.findLastIndex(({ kind }) => kind === 'restore');
      if (from > 0) this.#work.splice(0, from);
      const work = this.#work.shift();
      if (work === undefined) return;
      if (work.kind === 'apply') this.#apply(work.entries);
      else this.#beginRestore(work.snapshot);
    }
  }

  #apply(entries: readonly Entry[]): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    for (const entry of entries) {
      if (entry.kind !== 'data') continue;
      this.#bytesSinceSnapshot += entry.bytes.length;
      this.#handler.onAnswer(this.#machine.apply(entry.bytes, entry.index));
    }
    this.#applied = last.index;
    this.#handler.onApplied(last.index, false);
  }

  #beginRestore(snapshot: SnapshotMetadata): void {
    this.#isRestoring = true;
    runSteps(restoreSteps(this.#machine, this.#snapshots, snapshot), (outcome) => {
      if ('thrown' in outcome) {
        this.#fail(outcome.thrown);
        return;
      }
      this.#isRestoring = false;
      const isOvertaken = this.#work.some(({ kind }) => kind === 'restore');
      invariant(outcome.value || isOvertaken, 'the snapshot to restore is held');
      if (outcome.value) {
        this.#applied = snapshot.index;
        this.#handler.onApplied(snapshot.index, true);
      }
      this.#proceed();
    });
  }

  *#saveSteps(
    pieces: Iterable<Uint8Array>,
    about: Pick<SnapshotMetadata, 'index' | 'term' | 'configuration'>,
  ): Steps<SnapshotMetadata> {
    const sink = this.#snapshots.create();
    let sizeBytes = 0;
    let checksum = 0;
    for (const piece of pieces) {
      sizeBytes += piece.length;
      checksum = crc32(piece, checksum);
      yield* waitFor((done) => sink.write(piece, done));
    }
    const snapshot = { ...about, sizeBytes, checksum };
    yield* waitFor((done) => sink.finish(snapshot, done));
    return snapshot;
  }

  #fail(thrown: unknown): void {
    if (!(thrown instanceof SystemError)) throw thrown;
    this.#handler.onFailure(thrown);
  }
}

/**
 * Reads the snapshot and puts it into the state machine's place.
 * @returns false where it is no longer held, since there are newer ones.
 */
export function* restoreSteps(
  machine: SessionStateMachine,
  snapshots: SnapshotStore,
  snapshot: SnapshotMetadata,
): Steps<boolean> {
  const pieces: Uint8Array[] = [];
  for (let offset = 0; offset < snapshot.sizeBytes;) {
    const from = offset;
    const piece = yield* waitFor<Uint8Array | undefined>((done) =>
      snapshots.read(snapshot, from, READ_BYTES, done),
    );
    if (piece === undefined) return false;
    invariant(piece.length > 0, 'a snapshot is as long as it says');
    pieces.push(piece);
    offset += piece.length;
  }
  machine.restore(pieces);
  return true;
}

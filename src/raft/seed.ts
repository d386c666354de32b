/**
 * Begins the data of a peer with a state in place of an empty one: its first snapshot.
 *
 * Done at each voter of a new cluster with the same state and the same voters, they agree on all
 * that is in it, as if it had been applied in term 1. The directory must be empty: a state is never
 * put over another.
 */
import { crc32 } from 'node:zlib';
import type { Address, Runtime } from '../runtime/index.ts';
import { SystemError } from '../runtime/index.ts';
import { initialConfiguration } from './configuration.ts';
import { SESSION_LIMITS, SESSION_RULES, SessionStateMachine } from './sessions.ts';
import {
  openSnapshotStore,
  type FileSnapshotStore,
  type SnapshotStoreOpening,
} from './snapshot-store.ts';
import { runSteps, waitFor, type Steps } from './steps.ts';
import type { StateMachine } from './stores.ts';
import { asIndex, asTerm, type ClusterId, type PeerId } from './types.ts';
import { StorageError } from './wal-error.ts';

export interface SeedOptions {
  readonly runtime: Runtime;
  readonly cluster: ClusterId;
  /** As of `PeerOptions`. */
  readonly directory: string;
  readonly bootstrap: ReadonlyMap<PeerId, Address>;
  /** Holds the state. */
  readonly stateMachine: StateMachine;
}

/** @param done the error's message names the directory and what is in the way */
export function seedPeer(
  options: SeedOptions,
  done: (error: StorageError | undefined) => void,
): void {
  runSteps(seedSteps(options), (outcome) => {
    if ('value' in outcome) done(undefined);
    else if (outcome.thrown instanceof StorageError) done(outcome.thrown);
    else if (outcome.thrown instanceof SystemError) {
      const { directory } = options;
      const words = `the state cannot be written to ${directory}: ${outcome.thrown.message}`;
      done(new StorageError('unusable', directory, words));
    } else throw outcome.thrown;
  });
}

function* seedSteps(options: SeedOptions): Steps<void> {
  const { runtime, cluster } = options;
  yield* refuseUsed(options);
  const directory = `${options.directory}/snapshots`;
  const opening = yield* waitFor<SnapshotStoreOpening>((done) =>
    openSnapshotStore(runtime, { directory, cluster }, (opened) => done(undefined, opened)),
  );
  if (opening.error !== undefined) throw opening.error;
  yield* writeSnapshot(opening.store, options);
  yield* waitFor((done) => opening.store.close(done));
}

function* refuseUsed({ runtime, directory }: SeedOptions): Steps<void> {
  const names = yield* waitFor<readonly string[]>((done) =>
    runtime.disk.list(directory, (error, found) => {
      if (error?.code === 'ENOENT') done(undefined, []);
      else done(error, found);
    }),
  );
  if (names.length === 0) return;
  const words = `${directory} holds the data of a peer already: restore into an empty directory`;
  throw new StorageError('unusable', directory, words);
}

function* writeSnapshot(
  store: FileSnapshotStore,
  { bootstrap, stateMachine }: SeedOptions,
): Steps<void> {
  const machine = new SessionStateMachine(stateMachine, SESSION_LIMITS, SESSION_RULES);
  const sink = store.create();
  let sizeBytes = 0;
  let checksum = 0;
  for (const piece of machine.snapshot()) {
    sizeBytes += piece.length;
    checksum = crc32(piece, checksum);
    yield* waitFor((done) => sink.write(piece, done));
  }
  const configuration = initialConfiguration(bootstrap);
  const place = { index: asIndex(1), term: asTerm(1) };
  yield* waitFor((done) => sink.finish({ ...place, configuration, sizeBytes, checksum }, done));
}

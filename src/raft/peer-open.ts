/**
 * Puts a peer together: opens its snapshots and its log, makes them agree, restores the state
 * machine, and begins.
 */
import { SystemError } from '../runtime/index.ts';
import type { Address, Runtime } from '../runtime/index.ts';
import { encodeConfiguration, initialConfiguration } from './configuration.ts';
import { RaftCore } from './core.ts';
import { RAFT_LIMITS } from './options.ts';
import type { RaftLimits } from './options.ts';
import { restoreSteps } from './peer-machine.ts';
import { RaftPeer } from './peer.ts';
import type { PeerObserver } from './peer.ts';
import { reconcile } from './recovery.ts';
import { RAFT_RULES } from './rules.ts';
import type { Rules } from './rules.ts';
import { SESSION_LIMITS, SESSION_RULES, SessionStateMachine } from './sessions.ts';
import type { SessionLimits, SessionRules } from './sessions.ts';
import { openSnapshotStore } from './snapshot-store.ts';
import type { FileSnapshotStore, SnapshotStoreOpening } from './snapshot-store.ts';
import { runSteps, waitFor } from './steps.ts';
import type { Steps } from './steps.ts';
import type { LogBatch, LogContents, StateMachine, Transport } from './stores.ts';
import { asIndex, asTerm } from './types.ts';
import type { ClusterId, PeerId } from './types.ts';
import { StorageError } from './wal-error.ts';
import { openLog } from './wal-open.ts';
import type { LogOpening, OpenedLog } from './wal-open.ts';
import type { SyncReport } from './wal.ts';

export interface PeerOptions {
  readonly runtime: Runtime;
  readonly cluster: ClusterId;
  readonly peer: PeerId;
  /** Of this peer alone, below the disk's root: `DIRECTORY/log`, `DIRECTORY/snapshots`. */
  readonly directory: string;
  readonly stateMachine: StateMachine;
  /** @param store names this peer's disk. */
  readonly transport: (store: Uint8Array) => Transport;
  /**
   * The voters of a new cluster, the same at each of them. Written down when the directory is
   * empty, and of no meaning later. A peer that is to join a cluster has none: it waits to be added.
   */
  readonly bootstrap?: ReadonlyMap<PeerId, Address>;
  readonly limits?: Partial<RaftLimits>;
  readonly sessionLimits?: Partial<SessionLimits>;
  /** A snapshot is taken after so many entries since the last. Default: 10,000. */
  readonly snapshotEntries?: number;
  /** Or after so many bytes of commands. Default: 64 MiB. */
  readonly snapshotBytes?: number;
  readonly segmentBytesMax?: number;
  /**
   * What to do with a disk that has lost what it had confirmed. Default: `refuse`. With `repair`
   * the peer starts with what is left, and is sent the rest by the others.
   */
  readonly onDamage?: 'refuse' | 'repair';
  /** Told of each sync of the log. */
  readonly onSync?: (report: SyncReport) => void;
  /** Told what the disk held. */
  readonly onRecovered?: (contents: LogContents) => void;
  readonly observer?: PeerObserver;
  /** Replaced by tests, which put historical mistakes in their place. */
  readonly rules?: Partial<Rules>;
  readonly sessionRules?: Partial<SessionRules>;
}

export type PeerOpening =
  | { readonly error: undefined; readonly peer: RaftPeer }
  /** The message names the file and the way out. */
  | { readonly error: StorageError };

const SNAPSHOT_DEFAULTS = Object.freeze({
  snapshotEntries: 10_000,
  snapshotBytes: 64 * 1024 * 1024,
});

export function openPeer(options: PeerOptions, done: (opening: PeerOpening) => void): void {
  runSteps(openSteps(options), (outcome) => {
    if ('value' in outcome) {
      done({ error: undefined, peer: outcome.value });
      return;
    }
    const { thrown } = outcome;
    const { directory } = options;
    if (thrown instanceof StorageError) {
      done({ error: thrown });
    } else if (thrown instanceof SystemError) {
      const words = `the data of peer ${options.peer} in ${directory} cannot be opened: ${thrown.message}`;
      done({ error: new StorageError('unusable', directory, words) });
    } else {
      throw thrown;
    }
  });
}

function* openSteps(options: PeerOptions): Steps<RaftPeer> {
  const snapshots = yield* openSnapshots(options);
  try {
    const opened = yield* openLogOf(options, snapshots);
    try {
      return yield* begin(options, snapshots, opened);
    } catch (error) {
      yield* waitFor((done) => opened.log.close(done));
      throw error;
    }
  } catch (error) {
    yield* waitFor((done) => snapshots.close(done));
    throw error;
  }
}

function* openSnapshots(options: PeerOptions): Steps<FileSnapshotStore> {
  const { runtime, cluster, onDamage = 'refuse' } = options;
  const directory = `${options.directory}/snapshots`;
  const opening = yield* waitFor<SnapshotStoreOpening>((done) =>
    openSnapshotStore(runtime, { directory, cluster, onDamage }, (result) =>
      done(undefined, result),
    ),
  );
  if (opening.error !== undefined) throw opening.error;
  return opening.store;
}

function* openLogOf(options: PeerOptions, snapshots: FileSnapshotStore): Steps<OpenedLog> {
  const { runtime, cluster, peer, onDamage = 'refuse', segmentBytesMax, onSync } = options;
  const opening = yield* waitFor<LogOpening>((done) =>
    openLog(
      runtime,
      {
        directory: `${options.directory}/log`,
        cluster,
        peer,
        onDamage,
        snapshotHeld: { latest: snapshots.latest },
        ...(segmentBytesMax === undefined ? {} : { segmentBytesMax }),
        ...(onSync === undefined ? {} : { onSync }),
      },
      (result) => done(undefined, result),
    ),
  );
  if (opening.error !== undefined) throw opening.error;
  return opening;
}

function* begin(
  options: PeerOptions,
  snapshots: FileSnapshotStore,
  { log, store, contents: found }: OpenedLog,
): Steps<RaftPeer> {
  const { runtime, cluster, peer, observer = {} } = options;
  const { snapshotEntries, snapshotBytes } = { ...SNAPSHOT_DEFAULTS, ...options };
  const { contents: reconciled, repair } = reconcile(found, snapshots.latest);
  const { hardState, snapshot } = reconciled;
  if (repair === 'reset') {
    yield* waitFor((done) => log.append({ hardState, snapshot, entries: [] }, done));
  } else if (repair === 'note' && snapshot !== undefined) {
    yield* waitFor((done) => log.compact(snapshot, asIndex(0), done));
  }
  const first = firstBatch(reconciled, options.bootstrap);
  if (first !== undefined) yield* waitFor((done) => log.append(first, done));
  const contents = first === undefined ? reconciled : { ...reconciled, ...first };
  options.onRecovered?.(contents);
  const machine = new SessionStateMachine(
    options.stateMachine,
    { ...SESSION_LIMITS, ...options.sessionLimits },
    { ...SESSION_RULES, ...options.sessionRules },
  );
  if (snapshot !== undefined) yield* restoreSteps(machine, snapshots, snapshot);
  const limits = { ...RAFT_LIMITS, ...options.limits };
  const core = new RaftCore({
    identity: { cluster, id: peer },
    limits,
    rules: { ...RAFT_RULES, ...options.rules },
    random: runtime.random,
    contents,
    nowUs: runtime.clock.monotonicUs(),
  });
  return new RaftPeer(peer, {
    ...{ runtime, limits, core, machine, log, snapshots, observer },
    snapshotEntries,
    snapshotBytes,
    transport: options.transport(store),
    close: (done) => log.close(() => snapshots.close(() => done())),
  });
}

/** What a new cluster begins with: its first configuration, as if elected in term 1. */
function firstBatch(
  { hardState, snapshot, entries, lostThrough }: LogContents,
  bootstrap: ReadonlyMap<PeerId, Address> | undefined,
): (LogBatch & Pick<LogContents, 'hardState'>) | undefined {
  const isEmpty =
    hardState.term === 0 &&
    snapshot === undefined &&
    entries.length === 0 &&
    lostThrough === undefined;
  if (!isEmpty || bootstrap === undefined) return undefined;
  const term = asTerm(1);
  const bytes = encodeConfiguration(initialConfiguration(bootstrap));
  return {
    hardState: { term, vote: undefined },
    snapshot: undefined,
    entries: [{ index: asIndex(1), term, kind: 'configuration', bytes }],
  };
}

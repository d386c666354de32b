/**
 * Makes a new cluster's state of a snapshot, and the data of one of its peers from it.
 *
 * The state is the same wherever it is made, since each peer of the new cluster makes its own. It
 * is ahead of all that the old cluster can have come to since: nodes that still know a later epoch
 * or revision of that one would otherwise take the restored ones for old.
 */
import { createHash } from 'node:crypto';
import {
  asRevision,
  clusterSettingsSchema,
  epochSchema,
  METADATA_KEYS,
  type Revision,
} from '../../cluster/index.ts';
import { asClusterId, asPeerId, seedPeer, type StorageError } from '../../raft/index.ts';
import type { Address, Runtime } from '../../runtime/index.ts';
import { StoreMachine, type Entry } from '../store/index.ts';
import type { Snapshot } from './file.ts';

/** Further than a cluster gets between a snapshot and its restoring. */
const AHEAD = 2 ** 24;

export interface RestoreOptions {
  /** The group's name, as of `MetaPeerOptions`. */
  readonly cluster: string;
  /** Below the disk's root; it must be empty. */
  readonly directory: string;
  /** All peers of the new group. */
  readonly peers: ReadonlyMap<string, Address>;
}

export function restoreSnapshot(
  runtime: Runtime,
  { cluster, directory, peers }: RestoreOptions,
  snapshot: Snapshot,
  done: (error: StorageError | undefined) => void,
): void {
  const stateMachine = new StoreMachine(runtime.timers);
  const { revision, entries } = restoredState(snapshot, cluster, peers);
  stateMachine.keyspace.replace(revision, entries, []);
  const bootstrap = new Map([...peers].map(([name, address]) => [asPeerId(name), address]));
  const identity = { cluster: asClusterId(cluster), directory };
  seedPeer({ runtime, ...identity, bootstrap, stateMachine }, done);
}

/** With an id of its own for the cluster, since it is another one. */
function restoredState(
  { head, entries }: Snapshot,
  cluster: string,
  peers: ReadonlyMap<string, Address>,
): { readonly revision: Revision; readonly entries: readonly Entry[] } {
  const revision = asRevision(head.revision + AHEAD);
  const origin = JSON.stringify([head.sha256, head.clusterId, [...peers.keys()].toSorted()]);
  const id = `${cluster}-${createHash('sha1').update(origin).digest('hex').slice(0, 8)}`;
  const change = (entry: Entry, value: unknown): Entry => ({
    ...entry,
    value: JSON.stringify(value),
    modRevision: revision,
  });
  const changed = entries.map((entry) => {
    if (entry.key === METADATA_KEYS.settings) {
      return change(entry, { ...clusterSettingsSchema.parse(JSON.parse(entry.value)), id });
    }
    if (entry.key === METADATA_KEYS.epoch) {
      return change(entry, epochSchema.parse(JSON.parse(entry.value)) + AHEAD);
    }
    return entry;
  });
  return { revision, entries: changed };
}

/** What the admin API needs of the meta peer that it runs in, beside the store. */
import type { CachectlError, NodeId } from '../../cluster/index.ts';
import type { Address, Runtime } from '../../runtime/index.ts';
import type { NodeLife } from '../peer.ts';
import type { MetadataStore } from '../store/index.ts';
import type { PeerView } from './views.ts';

export type Settled = (error: CachectlError | undefined) => void;

export interface AdminHost {
  readonly runtime: Pick<Runtime, 'clock' | 'crypto' | 'log' | 'random' | 'timers'>;
  readonly store: MetadataStore;
  /** Undefined where this peer does not lead. */
  lifeOf(node: NodeId): NodeLife | undefined;
  /** The members of the group, as this peer knows them. */
  peers(): readonly PeerView[];
  addPeer(name: string, address: Address, done: Settled): void;
  removePeer(name: string, done: Settled): void;
  /** @param to undefined: the one that is furthest */
  transferLeader(to: string | undefined, done: Settled): void;
}

/**
 * A node without a cache: the membership code of a real one, over the real wire. It holds leases and
 * the map, and says that its copies are whole, so that the controller has something to decide.
 */
import {
  nodeIdOfName,
  roleOf,
  EMPTY_SHARD_MAP,
  type HeartbeatCall,
  type NodeFacts,
  type NodeId,
  type Push,
  type ShardId,
  type ShardMap,
  type ShardPosition,
} from '../../cluster/index.ts';
import { Freezes } from '../../node/cluster/freezes.ts';
import type { LeaseRules } from '../../node/cluster/lease.ts';
import { MetaLink } from '../../node/cluster/meta-link.ts';
import type { Address, Runtime } from '../../runtime/index.ts';
import type { SimProcess } from '../process.ts';

const PORT = 7400;
const REPLICATION_PORT = 17_400;
const MEMORY_BYTES = 64 * 1024 * 1024;

export class SimNode {
  readonly id: NodeId;
  readonly #process: SimProcess;
  readonly #link: MetaLink;
  readonly #freezes = new Freezes();
  #map: ShardMap = EMPTY_SHARD_MAP;

  constructor(
    process: SimProcess,
    runtime: Runtime,
    addresses: readonly Address[],
    { rules, onFrozen }: { readonly rules: LeaseRules; readonly onFrozen: () => void },
  ) {
    const { name, zone } = process;
    this.id = nodeIdOfName(name);
    this.#process = process;
    const facts: NodeFacts = {
      ...{ id: this.id, name, host: name, zone, machine: name },
      port: PORT,
      replicationPort: REPLICATION_PORT,
      weight: 1,
      memoryBytes: MEMORY_BYTES,
      bootId: Buffer.from(runtime.random.bytes(8)).toString('hex'),
      version: '0',
    };
    this.#link = new MetaLink(
      runtime,
      { addresses, facts, leaseRules: rules },
      {
        report: () => this.#report(),
        onMap: ({ map }: Push<'map'>) => {
          this.#map = map;
          this.#freezes.mapChanged(map);
        },
        onTenants: () => {},
        onConfig: () => {},
        onQuotas: () => {},
        onSeal: ({ shards }, answer) => answer(this.#positions(shards)),
        onFreeze: (push, answer) => {
          if (!this.#freezes.freeze(push, this.#map, this.id)) return;
          onFrozen();
          answer(this.#positions([push.shard]));
        },
        onThaw: (push) => {
          this.#freezes.thaw(push);
        },
        onThrottle: () => {},
        onLeased: () => {},
      },
    );
    this.#link.start();
  }

  get mapEpoch(): number {
    return this.#link.mapEpoch;
  }

  /** By its own clock, now. */
  get hasLease(): boolean {
    return this.#link.lease.isHeld(this.#process.clock.monotonicUs());
  }

  /** Of which it is the primary by the map that it has, and does not hold commands back. */
  get primaryOf(): ShardId[] {
    return this.#map.shards
      .filter(({ id, primary }) => primary === this.id && this.#freezes.frozenBy(id) === undefined)
      .map(({ id }) => id);
  }

  #positions(shards: readonly ShardId[]): ShardPosition[] {
    const asked = new Set(shards);
    return this.#map.shards
      .filter(({ id }) => asked.has(id))
      .map(({ id, epoch }) => ({ shard: id, epoch, offset: 0 }));
  }

  #report(): Pick<HeartbeatCall, 'shards' | 'tenants' | 'usedBytes' | 'memoryBytes'> {
    const shards = this.#map.shards.flatMap((shard): HeartbeatCall['shards'] => {
      const { id, epoch } = shard;
      const role = roleOf(shard, this.id);
      if (role === undefined) return [];
      const nothing = { lagBytes: 0, lagMs: 0, bytes: 0, items: 0, opsPerSecond: 0 };
      const copied = { copiedBytes: 0, copyTotalBytes: 0, writes: 0 };
      const frozenBy = this.#freezes.frozenBy(id);
      const freeze = frozenBy === undefined ? {} : { frozenBy };
      const report = { shard: id, epoch, offset: 0, role, isCaughtUp: true };
      return [{ ...report, ...nothing, ...copied, ...freeze }];
    });
    return { shards, tenants: [], usedBytes: 0, memoryBytes: MEMORY_BYTES };
  }
}

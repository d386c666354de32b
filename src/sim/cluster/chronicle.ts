/**
 * Follows what the group of meta peers has decided, by whichever peer has applied it first: who is
 * dead, who leads which shard, how far each move is. Tells the ledger, and calls it out.
 */
import {
  asEpoch,
  METADATA_KEYS,
  receiptSchema,
  holders,
  replicaSet,
  type Epoch,
  type Move,
  type NodeId,
  type Shard,
  type ShardId,
} from '../../cluster/index.ts';
import type { MetaPeer } from '../../meta/index.ts';
import type { SimProcess } from '../process.ts';
import type { Simulation } from '../simulation.ts';
import type { Ledger, ShardCommit } from './ledger.ts';

export class Chronicle {
  readonly #simulation: Simulation;
  readonly #ledger: Ledger;
  readonly #processOf: (node: NodeId | null) => SimProcess | undefined;
  #revision = 0;
  #mapEpoch: Epoch = asEpoch(0);
  readonly #shards = new Map<ShardId, Shard>();
  readonly #nodes = new Map<NodeId, { readonly isDown: boolean; readonly bootId: string }>();
  readonly #phases = new Map<number, Move['phase']>();

  constructor(
    simulation: Simulation,
    ledger: Ledger,
    processOf: (node: NodeId | null) => SimProcess | undefined,
  ) {
    this.#simulation = simulation;
    this.#ledger = ledger;
    this.#processOf = processOf;
  }

  /** A peer has taken a step. */
  stepped(process: SimProcess, peer: MetaPeer): void {
    const { state } = peer;
    if (state.revision <= this.#revision) return;
    this.#revision = state.revision;
    // A peer may apply several commits at once. Who was dead when the map changed is what counts.
    const mapRevision = state.revisionOf(METADATA_KEYS.epoch);
    this.#lookAtNodes(process, peer, mapRevision);
    if (state.map.epoch !== this.#mapEpoch) {
      this.#mapEpoch = state.map.epoch;
      this.#lookAtShards(process, peer);
    }
    this.#lookAtNodes(process, peer, Infinity);
    for (const move of state.moves.values()) this.#lookAtMove(process, move);
  }

  /** @param revisionMax those are left for later that were changed after it */
  #lookAtNodes(process: SimProcess, { state }: MetaPeer, revisionMax: number): void {
    const simulation = this.#simulation;
    let down = 0;
    for (const { id, name, state: now, bootId } of state.nodes.values()) {
      const isDown = now === 'down';
      if (isDown) down += 1;
      if (state.revisionOf(METADATA_KEYS.node(id)) > revisionMax) continue;
      const before = this.#nodes.get(id);
      if (before?.isDown === isDown && before.bootId === bootId) continue;
      this.#nodes.set(id, { isDown, bootId });
      this.#ledger.nodeDown(id, isDown);
      simulation.note(process, `${name} is ${now}`);
      simulation.sometimes(isDown, 'cluster: a node is declared dead');
      simulation.sometimes(
        before?.isDown === true && !isDown && before.bootId === bootId,
        'cluster: a node that was dead comes back with its memory',
      );
      if (isDown) simulation.signal('nodeDown', process);
    }
    simulation.sometimes(down > 1, 'cluster: two nodes are dead at one time');
  }

  #lookAtShards(process: SimProcess, peer: MetaPeer): void {
    const simulation = this.#simulation;
    const losers = new Set<NodeId | null>();
    for (const shard of peer.state.map.shards) {
      const before = this.#shards.get(shard.id);
      this.#shards.set(shard.id, shard);
      if (before === undefined || shard === before) continue;
      const members = replicaSet(shard);
      if (holders(before).join() !== holders(shard).join()) {
        this.#ledger.membersCommitted(shard.id, members, holders(shard));
      }
      if (shard.epoch === before.epoch) continue;
      for (const commit of commitsOf(peer, before, shard)) {
        const bootId = shard.primary === null ? undefined : this.#nodes.get(shard.primary)?.bootId;
        this.#ledger.committed({ ...commit, bootId });
        const { kind, epoch } = commit;
        const name = this.#processOf(shard.primary)?.name ?? 'nobody';
        simulation.note(process, `shard ${shard.id}: ${kind} to ${name}, epoch ${epoch}`);
        simulation.sometimes(kind === 'failover', 'cluster: a shard fails over');
        simulation.sometimes(kind === 'switch', 'cluster: a switch is planned and done');
        if (kind === 'failover') losers.add(before.primary);
        if (kind !== 'renewed') simulation.signal(kind, process);
      }
      simulation.sometimes(
        shard.primary !== before.primary &&
          !before.replicas.includes(shard.primary ?? before.replicas[0]) &&
          !before.learners.includes(shard.primary ?? before.learners[0]),
        'cluster: a shard begins empty',
      );
    }
    simulation.sometimes(losers.size > 1, 'cluster: shards of two nodes fail over in one commit');
  }

  #lookAtMove(process: SimProcess, move: Move): void {
    const { id, phase, from, to, shard, reason, error = '' } = move;
    if (this.#phases.get(id) === phase) return;
    this.#phases.set(id, phase);
    const simulation = this.#simulation;
    const [source, target] = [from, to].map((node) => this.#processOf(node));
    const way = `${source?.name ?? 'nobody'} to ${target?.name ?? 'nobody'}`;
    const words = `move ${id} (${reason}) of shard ${shard} from ${way}: ${phase} ${error}`;
    simulation.note(process, words.trim());
    simulation.sometimes(phase === 'aborted', 'cluster: a move is aborted');
    simulation.sometimes(phase === 'done', 'cluster: a move is done');
    simulation.sometimes(
      phase === 'done' && reason === 'repair' && to !== null,
      'cluster: a missing copy is made anew',
    );
    if (phase === 'aborted' || phase === 'pending') return;
    const primary = this.#processOf(this.#shards.get(shard)?.primary ?? null);
    simulation.signal(`${phase}Leader`, process);
    if (primary !== undefined) simulation.signal(`${phase}Source`, primary);
    if (target !== undefined) simulation.signal(`${phase}Target`, target);
  }
}

type Committed = Omit<ShardCommit, 'atUs' | 'copies' | 'bootId'>;

/** What has given the shard its epoch: by the receipts, since a peer may apply several at once. */
function commitsOf({ store }: MetaPeer, before: Shard, { id, epoch, primary }: Shard): Committed[] {
  const view = store.view();
  const { replicas } = before;
  const commits: Committed[] = [];
  for (let at = before.epoch + 1; at <= epoch; at += 1) {
    const entry = view.get(METADATA_KEYS.receipt(at, id));
    if (entry === undefined) continue;
    const { kind, oldPrimary } = receiptSchema.parse(JSON.parse(entry.value));
    commits.push({ shard: id, epoch: asEpoch(at), kind, oldPrimary, replicas });
  }
  if (commits.at(-1)?.epoch === epoch) return commits;
  return [...commits, { shard: id, epoch, kind: 'renewed', oldPrimary: primary, replicas }];
}

/**
 * What really happened to writes, as only someone sees who looks into all nodes at once: which
 * write is where in which stream, who held it, who led a shard from what on, and which commits made
 * it so. From this follows whether a write that is missing was one that may be lost.
 *
 * Position: (epoch, offset after the write's effect). A copy holds it where its history has that
 * epoch's part, and that part reaches so far.
 */
import type { Epoch, NodeId, ShardId } from '../../cluster/index.ts';
import type { CacheNode } from '../../node/index.ts';
import { EffectReader, SET } from '../../node/replication/effects.ts';
import type { HeldShard, StreamPosition } from '../../node/replication/index.ts';
import type { SimProcess } from '../process.ts';
import { OracleViolation, type Simulation } from '../simulation.ts';
import type { KeyRead, KeyWrite } from './key-history.ts';
import { BOUND_MS, type Promised } from './scenario.ts';

/** One life of a process. */
interface Boot {
  readonly process: SimProcess;
  readonly life: number;
}

export interface WritePosition {
  readonly shard: ShardId;
  readonly epoch: Epoch;
  readonly offset: number;
  /** It is there by then, or sooner: the stream was not seen, since it was not kept so long. */
  readonly isAtLatest?: boolean;
}

/** A write of a client, with what became of it. */
export interface TrackedWrite extends KeyWrite {
  readonly promised: Promised;
  readonly keyId: string;
  /** Where its effect is; undefined: it had none, or nobody saw it. */
  position: WritePosition | undefined;
  /** When it was acknowledged. */
  holders: readonly Boot[];
}

interface Effect extends WritePosition {
  readonly value: string | undefined;
  readonly atUs: number;
}

interface Copy extends Boot {
  readonly parts: readonly StreamPosition[];
  readonly end: number;
}

/** A primary begins to lead. */
interface Lead extends Boot {
  readonly epoch: Epoch;
  /** The last one begins where it leads from. */
  readonly parts: readonly StreamPosition[];
  readonly atUs: number;
}

/** A commit that gave a shard another epoch. */
export interface ShardCommit {
  readonly shard: ShardId;
  readonly epoch: Epoch;
  /** `renewed`: the same node again, with its memory or without. */
  readonly kind: 'failover' | 'switch' | 'renewed';
  readonly oldPrimary: NodeId | null;
  /** Which start of the node that is primary from then on. */
  readonly bootId: string | undefined;
  /** The replicas that could have been promoted. */
  readonly replicas: readonly NodeId[];
  readonly atUs: number;
  /** The whole copies of these at that moment, but those of nodes that were declared dead. */
  readonly copies: readonly Copy[];
}

/** A commit that changed who holds a shard. */
interface MembersCommit {
  readonly members: readonly NodeId[];
  /** Learners as well. */
  readonly holders: readonly NodeId[];
  readonly atUs: number;
  /** Those that the members have, or had when they died without anybody's knowledge. */
  readonly copies: readonly Copy[];
}

interface Seen {
  readonly held: HeldShard;
  end: number;
  epoch: number;
  isWhole: boolean;
  isLeading: boolean;
  epochMin: number;
  history: HeldShard['history'];
}

/** Beyond the bound: a batch, the distance between two looks, clocks that run slow. */
const BOUND_SLACK_MS = 150;

export class Ledger {
  readonly #simulation: Simulation;
  /** By key. */
  readonly #effects = new Map<string, Effect[]>();
  /** By shard and epoch: all, in their order. */
  readonly #streams = new Map<string, Effect[]>();
  /** By shard: growth of streams that was not seen, since nobody followed, or it went in one step. */
  readonly #unseen = new Map<ShardId, Effect[]>();
  readonly #leads = new Map<ShardId, Lead[]>();
  readonly #commits = new Map<ShardId, ShardCommit[]>();
  readonly #members = new Map<ShardId, MembersCommit[]>();
  /** By shard and epoch, then by process: how far it has ever been. */
  readonly #reached = new Map<string, Map<SimProcess, number>>();
  readonly #seen = new Map<SimProcess, Map<ShardId, Seen>>();
  /** By boot: when it ended. */
  readonly #ends = new Map<string, number>();
  /** What each process had when it ended last. */
  readonly #last = new Map<SimProcess, { atUs: number; copies: ReadonlyMap<ShardId, Copy> }>();
  readonly #nodes: ReadonlyMap<SimProcess, CacheNode>;
  readonly #idOf: (process: SimProcess) => NodeId;
  /** When which node was declared dead, and came back. */
  readonly #downs = new Map<NodeId, Array<{ readonly fromUs: number; untilUs: number }>>();
  readonly #reader = new EffectReader();

  constructor(
    simulation: Simulation,
    nodes: ReadonlyMap<SimProcess, CacheNode>,
    idOf: (process: SimProcess) => NodeId,
  ) {
    this.#simulation = simulation;
    this.#nodes = nodes;
    this.#idOf = idOf;
  }

  #nowUs(): number {
    return this.#simulation.queue.nowUs;
  }

  /** A node has taken a step. */
  stepped(process: SimProcess, node: CacheNode): void {
    const { cluster } = node;
    if (cluster === undefined) return;
    let seen = this.#seen.get(process);
    if (seen === undefined) {
      seen = new Map<ShardId, Seen>();
      this.#seen.set(process, seen);
    }
    for (const held of cluster.replication.shards) {
      const known = seen.get(held.id);
      const isLeading = held.role === 'primary';
      if (
        known?.held === held &&
        known.end === held.backlog.end &&
        known.epoch === held.epoch &&
        known.isWhole === held.isWhole &&
        known.isLeading === isLeading &&
        known.epochMin === held.epochMin &&
        known.history === held.history
      ) {
        continue;
      }
      this.#look(process, held, known?.held === held ? known : undefined);
      seen.set(held.id, {
        ...{ held, isLeading, end: held.backlog.end, epoch: held.epoch, isWhole: held.isWhole },
        ...{ epochMin: held.epochMin, history: held.history },
      });
    }
  }

  /** To be told while what it had is still there. */
  ended(process: SimProcess): void {
    this.#seen.delete(process);
    const copies = new Map<ShardId, Copy>();
    for (const held of this.#nodes.get(process)?.cluster?.replication.shards ?? []) {
      if (held.isWhole) copies.set(held.id, copyOf(process, held));
    }
    this.#last.set(process, { atUs: this.#nowUs(), copies });
    this.#ends.set(bootKey(process), this.#nowUs());
  }

  #look(process: SimProcess, held: HeldShard, known: Seen | undefined): void {
    const { id, epoch, backlog, history } = held;
    if (known !== undefined) this.#callOut(held, known);
    if (held.role === 'primary') {
      if (known?.isLeading !== true || known.epoch !== epoch) {
        const { parts } = history;
        const lead = { process, life: process.life, epoch, parts, atUs: this.#nowUs() };
        listOf(this.#leads, id).push(lead);
        this.#written(held, parts.at(-1)?.offset ?? 0);
      } else {
        this.#written(held, known.end);
      }
    }
    if (!held.isWhole) return;
    const key = streamKey(id, history.epoch);
    let reached = this.#reached.get(key);
    if (reached === undefined) {
      reached = new Map<SimProcess, number>();
      this.#reached.set(key, reached);
    }
    reached.set(process, Math.max(reached.get(process) ?? 0, backlog.end));
  }

  #callOut(
    { role, epoch, epochMin, isWhole, history, followers, backlog }: HeldShard,
    known: Seen,
  ) {
    const simulation = this.#simulation;
    if (role === 'primary') {
      const isCopying = [...followers.values()].some((of) => !of.isCaughtUp && of.copiedBytes > 0);
      const isWritten = known.isLeading && backlog.end > known.end;
      const point = 'cluster: a full copy is made while writes go on';
      simulation.sometimes(isCopying && isWritten, point);
      return;
    }
    simulation.sometimes(
      isWhole && known.isWhole && history !== known.history && backlog.end > 0,
      'cluster: a copy goes on from the backlog',
    );
    simulation.sometimes(
      epochMin > epoch && epochMin !== known.epochMin,
      'cluster: a copy is sealed against its old primary',
    );
  }

  /** Reads what the primary has written since. */
  #written({ id: shard, epoch, backlog }: HeldShard, from: number): void {
    const atUs = this.#nowUs();
    let offset = from;
    while (offset < backlog.end && backlog.read(offset)) {
      const { readBytes, readStart, readEnd } = backlog;
      let at = readStart;
      while (at < readEnd) {
        const next = this.#reader.next(readBytes, at, readEnd);
        offset += next - at;
        at = next;
        this.#note({ shard, epoch, offset, atUs, ...effectAt(this.#reader, readBytes) });
      }
    }
    // Nobody follows, or others' effects have taken its place in the backlog since.
    if (offset < backlog.end) {
      const common = { shard, epoch, atUs, value: undefined };
      const unseen = { ...common, offset: backlog.end, isAtLatest: true };
      listOf(this.#unseen, shard).push(unseen);
      listOf(this.#streams, streamKey(shard, epoch)).push(unseen);
    }
  }

  #note({ keyId, ...effect }: Effect & { readonly keyId: string }): void {
    listOf(this.#effects, keyId).push(effect);
    listOf(this.#streams, streamKey(effect.shard, effect.epoch)).push(effect);
  }

  nodeDown(node: NodeId, isDown: boolean): void {
    const downs = listOf(this.#downs, node);
    const last = downs.at(-1);
    if (isDown && last?.untilUs !== Infinity) {
      downs.push({ fromUs: this.#nowUs(), untilUs: Infinity });
    } else if (!isDown && last?.untilUs === Infinity) {
      last.untilUs = this.#nowUs();
    }
  }

  committed(commit: Omit<ShardCommit, 'atUs' | 'copies'>): void {
    const copies = this.#membersCopies(commit.shard, commit.replicas);
    listOf(this.#commits, commit.shard).push({ ...commit, atUs: this.#nowUs(), copies });
  }

  /** Primary and replicas, and with the learners, from now on. */
  membersCommitted(shard: ShardId, members: readonly NodeId[], holders: readonly NodeId[]): void {
    const copies = [...this.#membersCopies(shard, members), ...this.#justLost(shard, members)];
    listOf(this.#members, shard).push({ members, holders, atUs: this.#nowUs(), copies });
  }

  #membersCopies(shard: ShardId, members: readonly NodeId[]): Copy[] {
    const nowUs = this.#nowUs();
    return this.#copiesOf(shard).filter(
      ({ process }) =>
        members.includes(this.#idOf(process)) && !this.#wasDown(process, nowUs, nowUs),
    );
  }

  /** Of those that died, and were not declared dead since. */
  #justLost(shard: ShardId, members: readonly NodeId[]): Copy[] {
    return [...this.#last].flatMap(([process, { atUs, copies }]) => {
      const copy = copies.get(shard);
      const isMember = members.includes(this.#idOf(process));
      if (copy === undefined || !isMember || this.#wasDown(process, atUs, this.#nowUs())) return [];
      return [copy];
    });
  }

  #copiesOf(shard: ShardId): Copy[] {
    const copies: Copy[] = [];
    for (const [process, node] of this.#nodes) {
      const held = node.cluster?.replication.held(shard);
      if (process.status === 'down' || held?.isWhole !== true) continue;
      copies.push(copyOf(process, held));
    }
    return copies;
  }

  #wasDown(process: SimProcess, fromUs: number, toUs: number): boolean {
    const downs = this.#downs.get(this.#idOf(process)) ?? [];
    return downs.some((down) => down.fromUs <= toUs && down.untilUs > fromUs);
  }

  /**
   * A write was acknowledged: finds where it is, and who has it.
   *
   * @throws {OracleViolation} where fewer have it than its tenant was promised
   */
  acknowledged(write: TrackedWrite, shard: ShardId, copiesWanted: number): void {
    write.position = this.#positionOf(write, shard);
    const { position, promised } = write;
    if (position === undefined) return;
    write.holders = this.#copiesOf(shard).filter((copy) => holds(copy, position));
    if (promised !== 'quorum' || position.isAtLatest === true) return;
    // Those that have it now, be it by the stream of a later epoch, and those that have had it.
    const having = new Set(write.holders.map(({ process }) => process));
    for (const [process, offset] of this.#reached.get(streamKey(shard, position.epoch)) ?? []) {
      if (offset >= position.offset) having.add(process);
    }
    const copies = having.size;
    const needed = Math.floor(copiesWanted / 2) + 1;
    if (copies >= needed) return;
    throw new OracleViolation(
      'acknowledged-by-quorum',
      `'${write.value?.slice(0, 20) ?? 'a deletion'}' of ${write.keyId} in shard ${shard} was ` +
        `acknowledged with ${copies} copies of ${needed}`,
    );
  }

  #positionOf({ keyId, value, calledAtUs }: TrackedWrite, shard: ShardId) {
    const effects = this.#effects.get(keyId) ?? [];
    const own = effects.findLast((effect) => effect.value === value && effect.atUs >= calledAtUs);
    if (own !== undefined) return own;
    // Of what was not kept it is known that it was there by then.
    const unseen = this.#unseen.get(shard)?.findLast(({ atUs }) => atUs >= calledAtUs);
    // A deletion of what was not there has no effect: what it rests on is the effect before it. But
    // where the stream was not kept meanwhile it may have been among what was not.
    return unseen ?? (value === undefined ? effects.at(-1) : undefined);
  }

  /**
   * Why a write must not be missing at the time of a read; undefined: it may.
   */
  excuse(write: TrackedWrite, read: KeyRead): string | undefined {
    const { position } = write;
    if (position === undefined) return 'nobody knows where it was';
    const lead = this.#lostBy(position, read);
    if (lead === undefined) return 'every primary since has had it';
    const { shard } = position;
    const commit = this.#commitThatBegan(lead, shard);
    const led = `${lead.process.name} led shard ${shard} without it since epoch ${lead.epoch}`;
    if (commit === undefined) return `${led}, which nobody decided`;
    if (commit.kind === 'switch') return `${led}, by a planned switch`;
    const why = this.#brokenPromise(write, position, commit);
    return why === undefined ? undefined : `${led}, by a ${commit.kind}, though ${why}`;
  }

  /**
   * The commit by which the shard began as this primary has it. A boot may be renewed again before it
   * has heard of the first time, and so without having led: what was given up was so by that.
   */
  #commitThatBegan({ epoch }: Lead, shard: ShardId): ShardCommit | undefined {
    const commits = this.#commits.get(shard) ?? [];
    const wasLed = (of: number): boolean =>
      (this.#leads.get(shard) ?? []).some((lead) => lead.epoch === of);
    let at = commits.findIndex((commit) => commit.epoch === epoch);
    while (at > 0) {
      const [before, { kind, bootId }] = commits.slice(at - 1, at + 1);
      const isAgain = kind === 'renewed' && before.kind === 'renewed';
      if (!isAgain || before.bootId !== bootId || wasLed(before.epoch)) break;
      at -= 1;
    }
    return commits[at];
  }

  /** The first primary that lacked it, before the read was over. */
  #lostBy(position: WritePosition, read: KeyRead): Lead | undefined {
    const leads = this.#leads.get(position.shard) ?? [];
    return leads
      .filter(({ epoch, atUs }) => epoch > position.epoch && atUs <= read.returnedAtUs)
      .sort((a, b) => a.epoch - b.epoch)
      .find(({ parts }) => !holds({ parts, end: parts.at(-1)?.offset ?? 0 }, position));
  }

  #brokenPromise(
    write: TrackedWrite,
    position: WritePosition,
    { copies, oldPrimary, atUs }: ShardCommit,
  ): string | undefined {
    if (write.promised === 'default') return undefined;
    const isOther = ({ process }: Boot): boolean => this.#idOf(process) !== oldPrimary;
    const living = copies.find((copy) => isOther(copy) && holds(copy, position));
    if (living !== undefined) return `${living.process.name} had it, and was not declared dead`;
    if (write.promised === 'quorum') {
      // Its client may hear of it only after the commit.
      const ackedAtUs = Math.min(write.returnedAtUs ?? 0, atUs);
      const kept = write.holders.find(
        (holder) =>
          isOther(holder) &&
          (this.#ends.get(bootKey(holder.process, holder.life)) ?? Infinity) > atUs &&
          !this.#wasDown(holder.process, ackedAtUs, atUs) &&
          !this.#wasReplaced(holder, position, write.calledAtUs, atUs),
      );
      return kept && `${kept.process.name} had it when it was acknowledged, and has lived since`;
    }
    return this.#beyondBound(write, position);
  }

  /**
   * Whether it was taken out of the shard, when a majority of those that were left had the write. It
   * may go on following for a moment, and it may be over before the client hears of its write.
   */
  #wasReplaced({ process }: Boot, position: WritePosition, fromUs: number, toUs: number): boolean {
    const id = this.#idOf(process);
    const commits = this.#members.get(position.shard) ?? [];
    const before = commits.findLast(({ atUs }) => atUs <= fromUs);
    if (before?.holders.includes(id) === false) return true;
    const commit = commits.find(
      ({ holders, atUs }) => atUs > fromUs && atUs < toUs && !holders.includes(id),
    );
    if (commit === undefined) return false;
    const having = commit.copies.filter((copy) => holds(copy, position)).length;
    return having > commit.members.length / 2;
  }

  /** Whether it was acknowledged when something before it had been this node's alone for too long. */
  #beyondBound(write: TrackedWrite, { shard, epoch, offset }: WritePosition): string | undefined {
    const key = streamKey(shard, epoch);
    const writer = (this.#leads.get(shard) ?? []).findLast((lead) => lead.epoch === epoch)?.process;
    let replicated = 0;
    for (const [process, reached] of this.#reached.get(key) ?? []) {
      if (process !== writer) replicated = Math.max(replicated, reached);
    }
    if (replicated >= offset) return undefined;
    const first = this.#streams.get(key)?.find((effect) => effect.offset > replicated);
    const boundUs = (BOUND_MS + BOUND_SLACK_MS) * 1000;
    if (first === undefined || write.calledAtUs <= first.atUs + boundUs) return undefined;
    const ms = Math.round((write.calledAtUs - first.atUs) / 1000);
    return `it was taken ${ms} ms after the first write that nobody else had`;
  }
}

const copyOf = (process: SimProcess, { history, backlog }: HeldShard): Copy => ({
  ...{ process, life: process.life },
  ...{ parts: history.parts, end: backlog.end },
});

const bootKey = ({ name, life: now }: SimProcess, life = now): string => `${name}:${life}`;

const streamKey = (shard: ShardId, epoch: number): string => `${shard}:${epoch}`;

function listOf<Key, Item>(lists: Map<Key, Item[]>, key: Key): Item[] {
  let list = lists.get(key);
  if (list === undefined) lists.set(key, (list = []));
  return list;
}

function holds(
  { parts, end }: Pick<Copy, 'parts' | 'end'>,
  { epoch, offset }: Pick<WritePosition, 'epoch' | 'offset'>,
): boolean {
  const index = parts.findIndex((part) => part.epoch === epoch);
  if (index === -1) return false;
  return offset <= (parts.at(index + 1)?.offset ?? end);
}

function effectAt(
  reader: EffectReader,
  bytes: Uint8Array,
): { keyId: string; value: string | undefined } {
  const { namespace, keyStart, keyLength, valueStart, valueLength } = reader;
  const key = text(bytes, keyStart, keyLength);
  const keyId = `${namespace}/${key}`;
  const isSet = reader.kind === SET;
  return { keyId, value: isSet ? text(bytes, valueStart, valueLength) : undefined };
}

function text(bytes: Uint8Array, start: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString('latin1');
}

/**
 * A small cluster in memory, driven by one seed: messages are lost, repeated and overtake each
 * other, writes are slow, peers crash and lose what was not synced, links go down one way.
 *
 * It is no substitute for the simulator, which runs the shell, the log files and the wire as well.
 * It is quick, it needs nothing but the core, and it is what the core's own properties run on.
 */
import { InvariantError } from '../../runtime/invariant.ts';
import { encodeCommand, SESSION_RULES } from '../sessions.ts';
import type { SessionRules } from '../sessions.ts';
import type { Effects, Input } from '../effects.ts';
import { RAFT_LIMITS } from '../options.ts';
import type { RaftLimits } from '../options.ts';
import { RAFT_RULES } from '../rules.ts';
import type { Rules } from '../rules.ts';
import { asClusterId, asIndex, asPeerId } from '../types.ts';
import type { Configuration, Message, PeerId } from '../types.ts';
import { Dice } from './dice.ts';
import { Oracles, Violation } from './oracles.ts';
import { TestPeer } from './peer.ts';

/** How rough the world is: chances in a thousand, at each turn. */
export interface Roughness {
  readonly loss: number;
  readonly repeat: number;
  readonly reorder: number;
  readonly crash: number;
  readonly cut: number;
  readonly change: number;
  readonly transfer: number;
  readonly snapshot: number;
  readonly damage: number;
  /** A peer stops for a while, as by a debugger or a moving virtual machine. */
  readonly pause: number;
  /** A disk stops for a while. */
  readonly stall: number;
  /** Of a disk, at each turn, to do nothing. */
  readonly slow: number;
  /** Many proposals at once, to whoever believes to lead. */
  readonly burst: number;
}

const CALM: Roughness = {
  loss: 0,
  repeat: 0,
  reorder: 0,
  crash: 0,
  cut: 0,
  change: 0,
  transfer: 0,
  snapshot: 0,
  damage: 0,
  pause: 0,
  stall: 0,
  slow: 0,
  burst: 0,
};

/** A different mixture for each seed: some troubles are absent, the others are mild or severe. */
function roughness(seed: number): Roughness {
  const level = (trouble: number, worst: number): number =>
    Math.floor((worst * ((Math.imul(seed + 1, 0x9e3779b1 + 2 * trouble) >>> 16) % 5)) / 4);
  return {
    loss: level(1, 200),
    repeat: level(2, 300),
    reorder: level(3, 500),
    crash: level(4, 30),
    cut: level(5, 10),
    change: level(6, 30),
    transfer: level(7, 20),
    snapshot: level(8, 60),
    damage: level(9, 500),
    pause: level(10, 20),
    slow: level(11, 900),
    stall: level(12, 20),
    burst: level(13, 40),
  };
}

/** Bounds so tight that they are met, or the defaults. */
function limitsFor(seed: number): Partial<RaftLimits> {
  const isTight = (limit: number): boolean => ((Math.imul(seed, 0x85ebca6b) >>> limit) & 1) === 1;
  return {
    // The world's own: what a default is does not decide which runs there are.
    electionTimeoutMs: 600,
    trailingEntries: isTight(8) ? 0 : 5,
    ...(isTight(9) ? { messageBytesMax: 80 } : {}),
    ...(isTight(10) ? { inflightMessagesMax: 2 } : {}),
    ...(isTight(11) ? { snapshotChunkBytes: 64 } : {}),
    ...(isTight(12) ? { applyBytesMax: 1 } : {}),
    ...(isTight(13) ? { uncommittedBytesMax: 200 } : {}),
    ...(isTight(14) ? { promotionLagEntriesMax: 0 } : {}),
  };
}

export interface WorldOptions {
  readonly seed: number;
  readonly peers: number;
  readonly voters: number;
  readonly roughness: Roughness;
  readonly rules?: Partial<Rules>;
  readonly sessionRules?: Partial<SessionRules>;
  readonly limits?: Partial<RaftLimits>;
}

/** As long as it takes for most troubles to have met. */
export const TURNS = 1500;

/** Three voters and two others, or five voters: by turns. */
export function worldOf(seed: number): WorldOptions {
  return { seed, peers: 5, voters: seed % 2 === 0 ? 5 : 3, roughness: roughness(seed) };
}

interface PendingRead {
  readonly peer: PeerId;
  readonly read: number;
  readonly commitAtStart: number;
}

interface Client {
  readonly nonce: number;
  session: number | undefined;
  serial: number;
  answered: boolean;
  sentAtUs: number;
}

const STEP_US = 50_000;
const CLIENTS = 3;
const RETRY_US = 400_000;

export class World {
  nowUs = 1_000_000;
  readonly peers: readonly TestPeer[];
  readonly oracles: Oracles;
  roughness: Roughness;
  messages: Message[] = [];
  /** Links that carry nothing, as `from>to`. */
  readonly cuts = new Set<string>();
  readonly #options: WorldOptions;
  readonly #addresses: Configuration['addresses'];
  readonly #clients: Client[] = [];
  readonly #pausedUntilUs = new Map<PeerId, number>();
  readonly #stalledUntilUs = new Map<PeerId, number>();
  #isIdle = false;
  #pendingReads: PendingRead[] = [];
  #nextRead = 1;
  #nextProposal = 1;
  readonly #dice: Dice;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.roughness = options.roughness;
    this.#dice = new Dice(options.seed);
    const ids = Array.from({ length: options.peers }, (_, at) => asPeerId(`p${at + 1}`));
    this.#addresses = new Map(ids.map((id, at) => [id, { host: 'test', port: at + 1 }]));
    this.peers = ids.map((id) => this.#newPeer(id));
    this.oracles = new Oracles(new Map(this.peers.map(({ id, disk }) => [id, disk])));
    const voters = new Map([...this.#addresses].slice(0, options.voters));
    for (const peer of this.peers.slice(0, options.voters)) peer.bootstrap(voters);
    for (let at = 0; at < CLIENTS; at++) {
      const nonce = at + 1;
      this.#clients.push({ nonce, session: undefined, serial: 0, answered: true, sentAtUs: 0 });
    }
    for (const peer of this.peers) peer.start(this.nowUs);
  }

  get up(): readonly TestPeer[] {
    return this.peers.filter(({ isUp }) => isUp);
  }

  /** Up, and not paused. */
  get awake(): readonly TestPeer[] {
    return this.up.filter(({ id }) => (this.#pausedUntilUs.get(id) ?? 0) <= this.nowUs);
  }

  /** The leader of the latest term. */
  get leader(): TestPeer | undefined {
    return this.up
      .filter(({ core }) => core.role === 'leader')
      .sort((a, b) => b.core.term - a.core.term)
      .at(0);
  }

  peer(id: PeerId): TestPeer {
    const found = this.peers.find((peer) => peer.id === id);
    if (found === undefined) throw new Error(`there is no ${id}`);
    return found;
  }

  /** A number in [0, count). */
  pick(count: number): number {
    return this.#dice.pick(count);
  }

  #chance(inThousand: number): boolean {
    return inThousand > 0 && this.pick(1000) < inThousand;
  }

  /** Runs the whole story: trouble, then healing, then what a healed cluster must be able to do. */
  run(turns: number): void {
    for (let turn = 0; turn < turns; turn++) this.turn();
    this.heal();
    // What was begun before, such as a handing over of leadership, comes to its end first.
    this.runUntil(() => false, 2_000);
    this.#converge('after healing');
    this.#mustKeepLeaderThoughOneHearsItNot();
    this.#mustReplaceDeafLeader();
  }

  turn(): void {
    this.nowUs += this.pick(STEP_US);
    this.#resume();
    this.#trouble();
    this.#clientTurn();
    const deliveries = 3 + this.pick(4 + 2 * this.messages.length);
    for (let count = 0; count < deliveries; count++) this.#deliver();
    for (const peer of this.awake) {
      const isStalled = (this.#stalledUntilUs.get(peer.id) ?? 0) > this.nowUs;
      if (isStalled || this.#chance(this.roughness.slow)) continue;
      peer.carryOut(1 + this.pick(3), this.nowUs);
    }
    // Timers come late rather than early: what has arrived is handled first.
    for (const peer of this.awake) {
      if (peer.core.wakeAtUs <= this.nowUs) this.step(peer, { kind: 'tick' });
    }
  }

  step(peer: TestPeer, input: Input): Effects {
    return peer.step(input, this.nowUs);
  }

  heal(): void {
    this.cuts.clear();
    this.#pausedUntilUs.clear();
    this.#stalledUntilUs.clear();
    this.roughness = { ...CALM, reorder: this.roughness.reorder };
    for (const peer of this.peers) if (!peer.isUp) peer.start(this.nowUs);
  }

  /** Lets time pass until `condition`, at most `limitMs`. @returns whether it came true. */
  runUntil(condition: () => boolean, limitMs: number): boolean {
    const untilUs = this.nowUs + limitMs * 1000;
    while (this.nowUs < untilUs) {
      if (condition()) return true;
      this.turn();
    }
    return condition();
  }

  #newPeer(id: PeerId): TestPeer {
    const { seed, rules, sessionRules, limits } = this.#options;
    return new TestPeer({
      identity: { cluster: asClusterId('test'), id },
      limits: { ...RAFT_LIMITS, ...limitsFor(seed), ...limits },
      rules: { ...RAFT_RULES, ...rules },
      sessionRules: { ...SESSION_RULES, ...sessionRules },
      random: { uint32: () => this.pick(2 ** 32) },
      observe: (peer, effects) => this.#observe(peer, effects),
    });
  }

  #observe(peer: TestPeer, effects: Effects): void {
    this.oracles.check(peer.core, peer.id, effects);
    this.messages.push(...effects.messages);
    for (const request of effects.snapshotReads) {
      const { to, snapshot, offset, lengthMax } = request;
      const bytes = peer.disk.readSnapshot(snapshot.index, offset, lengthMax);
      this.step(peer, { kind: 'snapshotRead', to, index: snapshot.index, offset, bytes });
    }
    for (const outcome of effects.reads) {
      const pending = this.#pendingReads.find(
        ({ peer: at, read }) => at === peer.id && read === outcome.read,
      );
      if (pending !== undefined && 'index' in outcome) {
        this.oracles.checkRead(pending.commitAtStart, outcome.index);
      }
      this.#pendingReads = this.#pendingReads.filter((read) => read !== pending);
    }
  }

  #deliver(): void {
    if (this.messages.length === 0) return;
    const { loss, repeat, reorder } = this.roughness;
    const overtakes = this.#chance(reorder);
    const at = overtakes ? this.pick(Math.min(this.messages.length, 40)) : 0;
    const message = this.messages[at];
    const stays = this.#chance(repeat);
    if (!stays) this.messages.splice(at, 1);
    if (this.cuts.has(`${message.from}>${message.to}`) || this.#chance(loss)) {
      this.#reportUnreachable(message);
      return;
    }
    const target = this.awake.find(({ id }) => id === message.to);
    if (target !== undefined) this.step(target, { kind: 'message', message });
  }

  /** A transport notices some of its losses. */
  #reportUnreachable({ from, to }: Message): void {
    const sender = this.awake.find(({ id }) => id === from);
    if (this.pick(4) === 0 && sender) this.step(sender, { kind: 'unreachable', peer: to });
  }

  /** A peer that was paused first does what has waited for it: here, a read. */
  #resume(): void {
    for (const [id, untilUs] of this.#pausedUntilUs) {
      if (untilUs > this.nowUs) continue;
      this.#pausedUntilUs.delete(id);
      const peer = this.peer(id);
      if (peer.isUp) this.#read(peer);
    }
  }

  #stall({ id }: TestPeer): void {
    this.#stalledUntilUs.set(id, this.nowUs + this.pick(5_000_000));
  }

  #burst(leader: TestPeer): void {
    if (!this.awake.includes(leader)) return;
    for (let count = 1 + this.pick(6); count > 0; count--) {
      this.#propose(leader, { nonce: 1000 + this.pick(1000), session: undefined, serial: 0 });
    }
  }

  #trouble(): void {
    const { crash, cut, change, transfer, snapshot, damage, pause, stall, burst } = this.roughness;
    const peer = this.peers[this.pick(this.peers.length)];
    if (this.#chance(crash)) {
      if (peer.isUp) peer.crash(this.pick(peer.writes.length + 1), this.pick(2) === 0);
      this.oracles.crashed(peer.id);
    }
    if (!peer.isUp && this.pick(40) === 0) {
      if (this.#chance(damage) && this.#canBearDamage()) {
        const last = peer.disk.lastIndex;
        peer.disk.loseFrom(asIndex(Math.max(2, last - this.pick(6))));
      }
      peer.start(this.nowUs);
    }
    if (this.#chance(pause)) {
      this.#pausedUntilUs.set(this.#leaderOrAnyone().id, this.nowUs + this.pick(3_000_000));
    }
    if (this.#chance(stall)) this.#stall(peer);
    if (this.#chance(burst)) this.#burst(this.#leaderOrAnyone());
    if (this.#chance(cut)) this.#cutOrMend();
    if (this.#chance(snapshot) && peer.isUp) peer.saveSnapshot(this.nowUs);
    if (this.#chance(change)) this.#change();
    if (this.#chance(transfer)) {
      if (this.leader) this.step(this.leader, { kind: 'transfer', to: undefined });
    }
  }

  /** Entries may be lost where the others have them: on one disk, with more voters than two. */
  #canBearDamage(): boolean {
    const voters = this.leader?.core.log.configuration.voters ?? [];
    return voters.length > 2 && this.peers.every(({ disk }) => disk.lostThrough === undefined);
  }

  #cutOrMend(): void {
    if (this.cuts.size > 0 && this.pick(3) > 0) {
      this.cuts.clear();
      return;
    }
    const leader = this.#leaderOrAnyone().id;
    const mode = this.pick(5);
    const isOnOneSide = new Map(this.peers.map(({ id }) => [id, mode > 2 && this.pick(2) === 0]));
    isOnOneSide.set(leader, true);
    // Just now it takes on what it may never commit, and what its disk may be slow to write.
    if (this.pick(2) === 0) this.#burst(this.peer(leader));
    if (this.#chance(this.roughness.stall * 10)) this.#stall(this.peer(leader));
    for (const { id: from } of this.peers) {
      for (const { id: to } of this.peers) {
        if (isOnOneSide.get(from) === isOnOneSide.get(to)) continue;
        const isOutward = isOnOneSide.get(from) === true;
        // 1: nothing comes in, 2: nothing goes out, 0: neither; 3 and 4: two groups apart.
        if (mode === (isOutward ? 1 : 2)) continue;
        this.cuts.add(`${from}>${to}`);
      }
    }
  }

  #leaderOrAnyone(): TestPeer {
    const anyone = this.peers[this.pick(this.peers.length)];
    return this.pick(2) === 0 ? (this.leader ?? anyone) : anyone;
  }

  #change(): void {
    const { leader } = this;
    if (leader === undefined) return;
    const count = 1 + this.pick(this.peers.length);
    const shuffled = this.peers
      .map(({ id }) => ({ id, key: this.pick(1000) }))
      .sort((a, b) => a.key - b.key)
      .map(({ id }) => id);
    const withAddress = (ids: readonly PeerId[]) =>
      new Map([...this.#addresses].filter(([id]) => ids.includes(id)));
    const learners = this.pick(3) === 0 ? shuffled.slice(count, count + 1) : [];
    const voters = withAddress(shuffled.slice(0, count));
    const change = { voters, learners: withAddress(learners) };
    this.step(leader, { kind: 'change', change });
  }

  #clientTurn(): void {
    this.#takeAnswers();
    const peer = this.peers[this.pick(this.peers.length)];
    if (this.#isIdle || !this.awake.includes(peer)) return;
    if (this.pick(4) === 0) this.#read(peer);
    const client = this.#clients[this.pick(this.#clients.length)];
    if (this.pick(3) !== 0) return;
    if (client.session !== undefined && client.answered) {
      client.serial++;
      client.answered = false;
    } else if (this.nowUs - client.sentAtUs < RETRY_US) return;
    client.sentAtUs = this.nowUs;
    this.#propose(peer, client);
  }

  #propose(peer: TestPeer, client: Pick<Client, 'nonce' | 'session' | 'serial'>): void {
    const { nonce, session, serial } = client;
    const command =
      session === undefined
        ? encodeCommand({ kind: 'open', nonce })
        : encodeCommand({
            kind: 'command',
            session,
            serial,
            answeredThrough: serial - 1,
            bytes: new TextEncoder().encode(`${session}/${serial}`),
          });
    this.step(peer, { kind: 'propose', proposal: this.#nextProposal++, commands: [command] });
  }

  #read(peer: TestPeer): void {
    const read = this.#nextRead++;
    this.#pendingReads.push({ peer: peer.id, read, commitAtStart: this.oracles.commit });
    this.step(peer, { kind: 'read', read });
  }

  #takeAnswers(): void {
    for (const peer of this.up) {
      for (const answer of peer.answers) {
        if (answer.kind === 'opened') {
          const client = this.#clients.find(({ nonce }) => nonce === answer.nonce);
          if (client) client.session ??= answer.session;
        } else {
          const client = this.#clients.find(({ session }) => session === answer.session);
          if (client?.serial === answer.serial) client.answered = true;
        }
      }
      peer.answers = [];
      if (peer.machine.repeated !== undefined) {
        throw new Violation('exactly once', `${peer.id} has applied a command twice`);
      }
    }
  }

  /** All members agree, and the cluster still does its work. */
  #converge(when: string): void {
    const before = this.oracles.commit;
    const isDone = this.runUntil(() => {
      const { leader } = this;
      if (leader === undefined || this.oracles.commit <= before + 3) return false;
      const { configuration, commit } = leader.core.log;
      return [...configuration.addresses.keys()].every(
        (id) => commit - this.peer(id).core.log.applied <= 5,
      );
    }, 60_000);
    if (!isDone) throw new Violation('liveness', `nothing is agreed on any more ${when}`);
    this.#checkStates();
  }

  #checkStates(): void {
    for (const a of this.up) {
      for (const b of this.up) {
        if (a.core.log.applied !== b.core.log.applied) continue;
        if (a.machine.commands.join() !== b.machine.commands.join()) {
          throw new Violation('state-machine safety', `${a.id} and ${b.id} differ in their state`);
        }
      }
    }
  }

  /** A voter that hears all but the leader keeps asking to be elected, and must not unseat it. */
  #mustKeepLeaderThoughOneHearsItNot(): void {
    const { leader } = this;
    const voters = leader?.core.log.configuration.voters ?? [];
    const deaf = voters.find((id) => id !== leader?.id);
    if (leader === undefined || deaf === undefined || voters.length < 3) return;
    // With nothing to write, its log stays as good as any other's.
    this.#isIdle = true;
    this.runUntil(() => false, 2_000);
    const { term } = leader.core;
    this.cuts.add(`${leader.id}>${deaf}`);
    this.runUntil(() => false, 8_000);
    this.cuts.clear();
    this.#isIdle = false;
    if (this.leader?.core.term !== term) {
      throw new Violation('stable leadership', `${deaf}, not hearing ${leader.id}, unseated it`);
    }
  }

  /** A leader that can send and hears nothing keeps all others quiet, unless it stands down. */
  #mustReplaceDeafLeader(): void {
    const { leader } = this;
    if (leader === undefined || leader.core.log.configuration.voters.length < 3) return;
    for (const { id } of this.peers) this.cuts.add(`${id}>${leader.id}`);
    const before = this.oracles.commit;
    const isReplaced = this.runUntil(() => this.oracles.commit > before + 2, 30_000);
    this.cuts.clear();
    if (!isReplaced) throw new Violation('liveness', `${leader.id} hears nothing and still leads`);
    this.#converge('after a leader went deaf');
  }
}

/** What went wrong with this world, or `undefined`. An invariant of the core counts as an oracle. */
export function findViolation(options: WorldOptions, turns: number): string | undefined {
  try {
    new World(options).run(turns);
    return undefined;
  } catch (error) {
    if (error instanceof Violation) return error.message;
    if (error instanceof InvariantError) return `invariant: ${error.message}`;
    throw error;
  }
}

/**
 * The consensus core: one input in, its effects out.
 *
 * Synchronous and pure: no clock, no disk, no network, no randomness but what is passed in. The same
 * inputs at the same times give the same effects. Here are the rules that hold in every role: which
 * messages are looked at, what a later or an earlier term means, when roles change. What a role does
 * is in `election.ts`, `follower.ts` and `leader.ts`.
 */
import { invariant } from '../runtime/invariant.ts';
import type { Random } from '../runtime/ports.ts';
import { answerPreVote, answerVote, Candidacy, isLoyal, mayStand } from './election.ts';
import type { AdministrationOutcome, Effects, Input, Role } from './effects.ts';
import { Follower } from './follower.ts';
import { ForwardedReads } from './forwarded-reads.ts';
import { Leader } from './leader.ts';
import type { RaftLog } from './log.ts';
import { checkLimits } from './options.ts';
import type { RaftIdentity, RaftLimits } from './options.ts';
import { refuseRead } from './read-index.ts';
import type { Rules } from './rules.ts';
import { RaftState } from './state.ts';
import type { LogContents } from './stores.ts';
import type { Message, PeerId, SnapshotMetadata, Term } from './types.ts';

export interface RaftCoreOptions {
  readonly identity: RaftIdentity;
  readonly limits: RaftLimits;
  /** `RAFT_RULES`. */
  readonly rules: Rules;
  /** For election timeouts and for the first context of forwarded reads. */
  readonly random: Pick<Random, 'uint32'>;
  /** As `reconcile` gives it. The state machine has been restored from its snapshot, if any. */
  readonly contents: LogContents;
  /** Monotonic, as in every step. */
  readonly nowUs: number;
}

export class RaftCore {
  readonly #state: RaftState;
  readonly #random: Pick<Random, 'uint32'>;
  readonly #follower: Follower;
  readonly #forwardedReads: ForwardedReads;
  #candidacy: Candidacy | undefined;
  #leader: Leader | undefined;
  #electionDueUs = 0;
  #restore: SnapshotMetadata | undefined;

  constructor(options: RaftCoreOptions) {
    checkLimits(options.limits);
    const { identity, limits, rules, contents, nowUs } = options;
    this.#random = options.random;
    this.#state = new RaftState(identity, limits, rules, contents, nowUs);
    this.#follower = new Follower(this.#state);
    this.#forwardedReads = new ForwardedReads(this.#state, options.random);
    this.#resetElectionTimer();
  }

  get role(): Role {
    return this.#leader === undefined ? (this.#candidacy?.role ?? 'follower') : 'leader';
  }

  get term(): Term {
    return this.#state.term;
  }

  get vote(): PeerId | undefined {
    return this.#state.vote;
  }

  /** Whom this peer follows, itself where it leads. */
  get leader(): PeerId | undefined {
    return this.#state.leader;
  }

  get log(): RaftLog {
    return this.#state.log;
  }

  /** What this peer knows of its followers; nothing unless it leads. */
  get replication(): Leader['replication'] | undefined {
    return this.#leader?.replication;
  }

  get transferringTo(): PeerId | undefined {
    return this.#leader?.transferringTo;
  }

  get wakeAtUs(): number {
    return Math.min(this.#leader?.wakeAtUs ?? this.#electionDueUs, this.#forwardedReads.wakeAtUs);
  }

  /** @param nowUs monotonic; never less than at the last step. */
  step(input: Input, nowUs: number): Effects {
    const state = this.#state;
    invariant(nowUs >= state.nowUs, 'monotonic time never goes back');
    state.nowUs = nowUs;
    this.#take(input);
    if (this.#leader?.isOver === true) this.#follow();
    return this.#flush();
  }

  #take(input: Input): void {
    const { log, outbox } = this.#state;
    switch (input.kind) {
      case 'tick':
        this.#tick();
        break;
      case 'message':
        this.#receive(input.message);
        break;
      case 'persisted':
        this.#written(input.sequence);
        break;
      case 'applied':
        log.appliedThrough(input.index);
        break;
      case 'propose':
        this.#propose(input.proposal, input.commands);
        break;
      case 'read':
        this.#read(input.read);
        break;
      case 'change':
        outbox.administration(this.#leader?.change(input.change) ?? this.#notLeader());
        break;
      case 'transfer':
        outbox.administration(this.#leader?.transfer(input.to) ?? this.#notLeader());
        break;
      case 'campaign':
        if (this.#leader === undefined && mayStand(this.#state)) this.#preVote();
        break;
      case 'snapshotSaved':
        this.#compact(input.snapshot);
        break;
      case 'snapshotRead':
        this.#leader?.replication.snapshotRead(input.to, input.index, input.offset, input.bytes);
        break;
      case 'unreachable':
        this.#leader?.replication.unreachable(input.peer);
        break;
    }
  }

  #tick(): void {
    this.#forwardedReads.expire();
    if (this.#leader !== undefined) {
      this.#leader.tick();
    } else if (this.#state.nowUs >= this.#electionDueUs) {
      if (mayStand(this.#state)) this.#preVote();
      else this.#loseSightOfLeader();
    }
  }

  #receive(message: Message): void {
    const state = this.#state;
    if (message.cluster !== state.cluster || message.to !== state.id) return;
    if (message.term > state.term) {
      if (message.kind === 'vote' && !message.transfer && this.#isLoyal()) return;
      if (state.rules.adoptsTermOf(message)) this.#follow(message.term);
    } else if (message.term < state.term && !this.#answerEarlierTerm(message)) return;
    this.#dispatch(message);
  }

  /**
   * A message of an earlier term is void, but its sender is told of the later one, so that it does
   * not go on leading or standing for nothing.
   * @returns whether the message is to be handled all the same.
   */
  #answerEarlierTerm(message: Message): boolean {
    const state = this.#state;
    const { kind, from } = message;
    if (!state.rules.answersEarlierTerm(message)) return false;
    if (kind === 'append' || kind === 'heartbeat' || kind === 'snapshotChunk') {
      state.send(from, { kind: 'heartbeatResponse', readContext: 0 });
    } else if (kind === 'vote') {
      state.send(from, { kind: 'voteResponse', granted: false });
    }
    // A pre-vote is answered by its own term, and answers to one may come from an earlier term.
    return kind === 'preVote' || kind === 'preVoteResponse';
  }

  #dispatch(message: Message): void {
    const state = this.#state;
    switch (message.kind) {
      case 'preVote':
        answerPreVote(state, message, this.#isLoyal());
        break;
      case 'preVoteResponse':
        if (this.#candidacy?.isAnsweredBy(message) === true) {
          this.#count(message.from, message.granted);
        }
        break;
      case 'vote':
        if (answerVote(state, message)) this.#resetElectionTimer();
        break;
      case 'voteResponse':
        if (this.#candidacy?.role === 'candidate') this.#count(message.from, message.granted);
        break;
      case 'append':
        this.#followLeader(message.from);
        this.#follower.append(message);
        break;
      case 'heartbeat':
        this.#followLeader(message.from);
        this.#follower.heartbeat(message);
        break;
      case 'snapshotChunk':
        this.#followLeader(message.from);
        this.#follower.snapshotChunk(message);
        break;
      case 'appendAccepted':
        this.#leader?.accepted(message);
        break;
      case 'appendRejected':
        this.#leader?.rejected(message);
        break;
      case 'heartbeatResponse':
        this.#leader?.heartbeatAnswered(message);
        break;
      case 'snapshotResponse':
        this.#leader?.snapshotWanted(message);
        break;
      case 'timeoutNow':
        if (this.#leader === undefined && mayStand(state)) this.#standForElection(true);
        break;
      case 'propose':
        this.#proposeFor(message.from, message.proposal, message.commands);
        break;
      case 'proposeResponse':
        if (message.refused !== undefined) {
          state.outbox.proposal({ proposal: message.proposal, refused: message.refused });
        }
        break;
      case 'readIndex':
        this.#readFor(message.from, message.readContext);
        break;
      case 'readIndexResponse':
        this.#forwardedReads.answered(message.readContext, message.index);
        break;
    }
  }

  #written(sequence: number): void {
    const { log, outbox } = this.#state;
    outbox.written(sequence);
    log.written(sequence);
    const snapshot = this.#follower.written(sequence);
    if (snapshot !== undefined) this.#restore = snapshot;
    if (this.#candidacy?.role === 'candidate' && this.#candidacy.ownVoteSequence <= sequence) {
      this.#count(this.#state.id, true);
    }
    this.#leader?.written();
  }

  #propose(proposal: number, commands: readonly Uint8Array[]): void {
    const { leader, limits, outbox, term } = this.#state;
    if (this.#leader !== undefined) {
      const result = this.#leader.propose(commands);
      outbox.proposal(
        typeof result === 'string'
          ? { proposal, refused: result }
          : { proposal, index: result, term },
      );
    } else if (leader === undefined) {
      outbox.proposal({ proposal, refused: 'noLeader' });
    } else if (commands.some((command) => command.length > limits.commandBytesMax)) {
      outbox.proposal({ proposal, refused: 'tooLarge' });
    } else {
      this.#state.send(leader, { kind: 'propose', proposal, commands });
      outbox.proposal({ proposal, forwardedTo: leader });
    }
  }

  /** Forwarding goes one step: who does not lead refuses what was forwarded to it. */
  #proposeFor(peer: PeerId, proposal: number, commands: readonly Uint8Array[]): void {
    const result = this.#leader?.propose(commands) ?? 'notLeader';
    const refused = typeof result === 'string' ? result : undefined;
    this.#state.send(peer, { kind: 'proposeResponse', proposal, refused });
  }

  #read(read: number): void {
    if (this.#leader !== undefined) this.#leader.reads.add({ kind: 'local', read });
    else this.#forwardedReads.forward(read);
  }

  #readFor(peer: PeerId, readContext: number): void {
    const reader = { kind: 'remote', peer, readContext } as const;
    if (this.#leader !== undefined) this.#leader.reads.add(reader);
    else refuseRead(this.#state, reader, 'notLeader');
  }

  #compact(snapshot: SnapshotMetadata): void {
    const { limits, log, outbox } = this.#state;
    const { trailingEntries, trailingBytes } = limits;
    const dropTo = log.dropBehind(snapshot.index, trailingEntries, trailingBytes);
    if (log.compact(snapshot, dropTo)) outbox.compact(snapshot, dropTo);
  }

  #notLeader(): AdministrationOutcome {
    const { leader } = this.#state;
    const words = leader === undefined ? 'no leader is known' : `the leader is ${leader}`;
    return { accepted: false, refused: 'notLeader', words };
  }

  #isLoyal(): boolean {
    return isLoyal(this.#state, this.#leader !== undefined);
  }

  #preVote(): void {
    this.#forwardedReads.abandon();
    this.#become(Candidacy.preVote(this.#state));
  }

  #standForElection(transfer: boolean): void {
    this.#become(Candidacy.vote(this.#state, transfer));
  }

  #become(candidacy: Candidacy): void {
    this.#candidacy = candidacy;
    this.#resetElectionTimer();
    this.#roleChanged();
    this.#decideElection();
  }

  #count(from: PeerId, granted: boolean): void {
    this.#candidacy?.count(from, granted);
    this.#decideElection();
  }

  #decideElection(): void {
    const candidacy = this.#candidacy;
    if (candidacy === undefined) return;
    switch (candidacy.result) {
      case 'won':
        if (candidacy.role === 'preCandidate') this.#standForElection(false);
        else this.#lead();
        break;
      case 'lost':
        this.#follow();
        break;
      case 'pending':
        break;
    }
  }

  #lead(): void {
    this.#candidacy = undefined;
    this.#state.setLeader(this.#state.id);
    this.#leader = new Leader(this.#state);
    this.#roleChanged();
  }

  #followLeader(leader: PeerId): void {
    invariant(this.#leader === undefined, 'election safety: at most one leader in a term');
    if (this.#candidacy !== undefined) this.#follow();
    this.#state.heardFromLeader(leader);
    this.#resetElectionTimer();
  }

  /** Becomes a follower, of nobody yet: in a later term, or in the same one. */
  #follow(term = this.#state.term): void {
    const wasFollower = this.role === 'follower';
    const ending = this.#leader;
    this.#leader = undefined;
    this.#candidacy = undefined;
    ending?.end();
    if (term > this.#state.term) this.#state.enterTerm(term);
    else if (ending !== undefined) this.#state.setLeader(undefined);
    this.#forwardedReads.abandon();
    this.#resetElectionTimer();
    if (!wasFollower) this.#roleChanged();
  }

  #loseSightOfLeader(): void {
    this.#state.setLeader(undefined);
    this.#forwardedReads.abandon();
    this.#resetElectionTimer();
  }

  #resetElectionTimer(): void {
    const { electionTimeoutUs, nowUs } = this.#state;
    this.#electionDueUs = nowUs + electionTimeoutUs + (this.#random.uint32() % electionTimeoutUs);
  }

  #roleChanged(): void {
    this.#state.outbox.event({ kind: 'role', role: this.role, term: this.term });
  }

  #flush(): Effects {
    const { limits, log, outbox, term } = this.#state;
    const restore = this.#restore;
    this.#restore = undefined;
    const apply = log.takeCommitted(limits.applyBytesMax);
    return outbox.flush(log, term, restore, apply, this.wakeAtUs);
  }
}

/**
 * The nouns of consensus: identities, log positions, entries, configurations, snapshots, messages.
 *
 * - `Term` and `Index` are safe integers, asserted where they are made. Index 0 stands before the
 *   first entry, term 0 before the first election.
 * - A message's `term` is always its sender's current term, also in a pre-vote, whose hypothetical
 *   term has a field of its own. So one rule about terms holds for every kind of message.
 * - All byte arrays here are immutable once handed over: neither side writes into them again.
 *
 * Read on in `effects.ts` (what goes into and comes out of a step) and `stores.ts` (the faces of
 * log store, snapshot store, transport and state machine).
 */
import { invariant } from '../runtime/invariant.ts';
import type { Address } from '../runtime/ports.ts';

declare const brand: unique symbol;

export type Term = number & { readonly [brand]: 'Term' };
export type Index = number & { readonly [brand]: 'Index' };
/** Names a group for ever; a message of another cluster is never looked at. */
export type ClusterId = string & { readonly [brand]: 'ClusterId' };
/** Names a peer *and its disk*: a peer that lost its disk comes back under a new id. */
export type PeerId = string & { readonly [brand]: 'PeerId' };

function assertTerm(value: number): asserts value is Term {
  invariant(Number.isSafeInteger(value) && value >= 0, 'a term is a whole number, 0 to 2^53 - 1');
}

function assertIndex(value: number): asserts value is Index {
  invariant(Number.isSafeInteger(value) && value >= 0, 'an index is a whole number, 0 to 2^53 - 1');
}

const IDENTIFIER = /^[A-Za-z0-9._:-]{1,128}$/;

function assertClusterId(value: string): asserts value is ClusterId {
  invariant(IDENTIFIER.test(value), 'a cluster id is 1 to 128 letters, digits or . _ : -');
}

function assertPeerId(value: string): asserts value is PeerId {
  invariant(IDENTIFIER.test(value), 'a peer id is 1 to 128 letters, digits or . _ : -');
}

/** @throws {InvariantError} unless `value` is a safe integer ≥ 0. */
export function asTerm(value: number): Term {
  assertTerm(value);
  return value;
}

/** @throws {InvariantError} unless `value` is a safe integer ≥ 0. */
export function asIndex(value: number): Index {
  assertIndex(value);
  return value;
}

/** @throws {InvariantError} unless `value` is 1 to 128 letters, digits or `. _ : -`. */
export function asClusterId(value: string): ClusterId {
  assertClusterId(value);
  return value;
}

/** @throws {InvariantError} unless `value` is 1 to 128 letters, digits or `. _ : -`. */
export function asPeerId(value: string): PeerId {
  assertPeerId(value);
  return value;
}

/**
 * - `noop`: what a leader writes first in its term; no bytes.
 * - `data`: for the state machine.
 * - `configuration`: `bytes` decode to a `Configuration`, in force from the moment of appending.
 */
export type EntryKind = 'noop' | 'data' | 'configuration';

export interface Entry {
  readonly index: Index;
  readonly term: Term;
  readonly kind: EntryKind;
  readonly bytes: Uint8Array;
}

/** A place in a log: the entry at `index` has `term`. */
export interface Position {
  readonly index: Index;
  readonly term: Term;
}

/** What a peer may never forget, beside its log. */
export interface HardState {
  readonly term: Term;
  /** Whom this peer voted for in `term`. */
  readonly vote: PeerId | undefined;
}

/**
 * Who takes part. Each list is sorted and without repetition; no peer is in two of them, save that
 * a peer may be both in `votersOutgoing` and in `voters` or `learnersNext`.
 *
 * The configuration is *joint* while `votersOutgoing` is not empty: then every decision needs a
 * majority of `voters` and a majority of `votersOutgoing`.
 */
export interface Configuration {
  readonly voters: readonly PeerId[];
  /** The voters of the configuration that is being left. */
  readonly votersOutgoing: readonly PeerId[];
  /** Receive the log, and do not count. */
  readonly learners: readonly PeerId[];
  /** Voters going out that become learners when the joint configuration is left. */
  readonly learnersNext: readonly PeerId[];
  /** Where each member listens. Has exactly the members of the four lists. */
  readonly addresses: ReadonlyMap<PeerId, Address>;
}

/** Describes a snapshot: all that was applied through `index`, as `sizeBytes` of bytes. */
export interface SnapshotMetadata {
  readonly index: Index;
  readonly term: Term;
  /** The one in force at `index`. */
  readonly configuration: Configuration;
  readonly sizeBytes: number;
  /** CRC-32 (IEEE) of all its bytes. */
  readonly checksum: number;
}

interface Envelope {
  readonly cluster: ClusterId;
  readonly from: PeerId;
  readonly to: PeerId;
  /** The sender's current term, whatever the kind of message. */
  readonly term: Term;
}

/** Would you vote for me in `nextTerm`? Changes nothing at the receiver. */
export interface PreVote extends Envelope {
  readonly kind: 'preVote';
  readonly nextTerm: Term;
  readonly lastIndex: Index;
  readonly lastTerm: Term;
}

export interface PreVoteResponse extends Envelope {
  readonly kind: 'preVoteResponse';
  /** Repeats the request, so that an answer to an older one is told apart. */
  readonly nextTerm: Term;
  readonly granted: boolean;
}

export interface Vote extends Envelope {
  readonly kind: 'vote';
  readonly lastIndex: Index;
  readonly lastTerm: Term;
  /** The leader asked for this election, so the receiver's loyalty to it is no reason to refuse. */
  readonly transfer: boolean;
}

export interface VoteResponse extends Envelope {
  readonly kind: 'voteResponse';
  readonly granted: boolean;
}

export interface Append extends Envelope {
  readonly kind: 'append';
  /** The entry before `entries`; the receiver's log must have it. */
  readonly previousIndex: Index;
  readonly previousTerm: Term;
  readonly entries: readonly Entry[];
  /** The leader's commit index. The receiver commits no further than this message vouches for. */
  readonly commit: Index;
}

/** The log agrees with the leader's through `match`, durably. */
export interface AppendAccepted extends Envelope {
  readonly kind: 'appendAccepted';
  readonly match: Index;
}

/** The log lacks the entry (`previousIndex`, its term). */
export interface AppendRejected extends Envelope {
  readonly kind: 'appendRejected';
  readonly previousIndex: Index;
  /** The last index at which the logs may agree, as far as the receiver can tell, and its term. */
  readonly hintIndex: Index;
  readonly hintTerm: Term;
  /** The receiver's disk has lost entries that it had acknowledged: forget its `match`. */
  readonly lostEntries: boolean;
}

export interface Heartbeat extends Envelope {
  readonly kind: 'heartbeat';
  /** Never beyond what the receiver is known to have. */
  readonly commit: Index;
  /** The latest round of read confirmations; 0 where there is none. */
  readonly readContext: number;
}

export interface HeartbeatResponse extends Envelope {
  readonly kind: 'heartbeatResponse';
  readonly readContext: number;
}

/** One piece of a snapshot: `bytes` are those from `offset` on. */
export interface SnapshotChunk extends Envelope {
  readonly kind: 'snapshotChunk';
  readonly snapshot: SnapshotMetadata;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface SnapshotResponse extends Envelope {
  readonly kind: 'snapshotResponse';
  /** Of the snapshot that this answers. */
  readonly index: Index;
  /** The offset that is wanted next: where to go on, also after a loss or a restart. */
  readonly nextOffset: number;
}

/** From a leader that steps aside: hold an election now. */
export interface TimeoutNow extends Envelope {
  readonly kind: 'timeoutNow';
}

/** Proposals on their way from a follower to the leader. */
export interface Propose extends Envelope {
  readonly kind: 'propose';
  /** Made by the forwarder, returned in the response. */
  readonly proposal: number;
  readonly commands: readonly Uint8Array[];
}

export interface ProposeResponse extends Envelope {
  readonly kind: 'proposeResponse';
  readonly proposal: number;
  readonly refused: RefusalReason | undefined;
}

/** Asks the leader for an index that a linearizable read must wait for. */
export interface ReadIndex extends Envelope {
  readonly kind: 'readIndex';
  /** Made by the follower's core; never used twice, not even by two lives of one peer. */
  readonly readContext: number;
}

export interface ReadIndexResponse extends Envelope {
  readonly kind: 'readIndexResponse';
  readonly readContext: number;
  /** `undefined`: refused. */
  readonly index: Index | undefined;
}

export type Message =
  | PreVote
  | PreVoteResponse
  | Vote
  | VoteResponse
  | Append
  | AppendAccepted
  | AppendRejected
  | Heartbeat
  | HeartbeatResponse
  | SnapshotChunk
  | SnapshotResponse
  | TimeoutNow
  | Propose
  | ProposeResponse
  | ReadIndex
  | ReadIndexResponse;

/**
 * Why a request was not taken on. Nothing of it was or will be done.
 *
 * - `noLeader`: no leader is known; try again after an election timeout.
 * - `notLeader`: only the leader does this.
 * - `overloaded`: too many bytes are waiting to be committed.
 * - `tooLarge`: the command could never be sent in one message.
 * - `transferring`: leadership is being handed over.
 * - `changePending`: one configuration change at a time.
 * - `invalidChange`: the change asked for makes no sense; the words say why.
 * - `notMember`: the peer named is no voter.
 * - `stopped`: this peer has stopped.
 */
export type RefusalReason =
  | 'noLeader'
  | 'notLeader'
  | 'overloaded'
  | 'tooLarge'
  | 'transferring'
  | 'changePending'
  | 'invalidChange'
  | 'notMember'
  | 'stopped';

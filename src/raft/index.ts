/**
 * Raft: a log that a majority agrees on, and a state machine that follows it.
 *
 * Guarantees, as long as a majority of disks keeps what they have confirmed: a command is applied
 * in one order at every peer; a command acknowledged is never lost; a command proposed again in its
 * session is applied once; a read sees all that was acknowledged before it was asked for. Nothing
 * that a peer says depends on bytes that its own disk may still lose.
 *
 * Reading order: `types.ts` and `effects.ts` (the words), `rules.ts` (what makes it safe, on one
 * page), `core.ts` (one step), then the roles `election.ts`, `follower.ts`, `leader.ts` with their
 * leaves (`quorum.ts`, `log.ts`, `progress.ts`, `replication.ts`, `read-index.ts`,
 * `configuration-change.ts`, `membership.ts`, `snapshot-receiver.ts`), `outbox.ts` (durable before
 * visible), and the shell: `stores.ts`, `wal.ts`, `snapshot-store.ts`,
 * `transport.ts`, `peer.ts`.
 */
export { openPeer } from './peer-open.ts';
export type { PeerOpening, PeerOptions } from './peer-open.ts';
export type { PeerObserver, PeerStatus, RaftPeer } from './peer.ts';
export type { ReadOutcome, SubmitOutcome } from './peer-requests.ts';
export type { ProposeOutcome } from './proposer.ts';
export type { SessionAnswer, SessionCommand } from './sessions.ts';
export type { AdministrationOutcome, ConfigurationChange, RaftEvent, Role } from './effects.ts';
export { seedPeer } from './seed.ts';
export { RAFT_LIMITS } from './options.ts';
export type { RaftLimits } from './options.ts';
export type { StateMachine, Transport, TransportHandler } from './stores.ts';
export { PeerTransport } from './transport.ts';
export type { TransportLimits, TransportOptions } from './transport.ts';
export { StorageError } from './wal-error.ts';
export { asClusterId, asIndex, asPeerId, asTerm } from './types.ts';
export type {
  ClusterId,
  Configuration,
  Index,
  Message,
  PeerId,
  RefusalReason,
  SnapshotMetadata,
  Term,
} from './types.ts';

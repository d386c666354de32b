/**
 * A leader's sending: who gets which entries, heartbeats or snapshot pieces, and when.
 *
 * One `Progress` a member. Everything here is about getting logs to agree quickly within bounds;
 * nothing here decides what is committed.
 */
import { invariant } from '../runtime/invariant.ts';
import { isVoter, membersOf } from './configuration.ts';
import { Inflights } from './inflights.ts';
import { entryBytes } from './log.ts';
import { Progress } from './progress.ts';
import type { RaftState } from './state.ts';
import { asIndex } from './types.ts';
import type {
  AppendAccepted,
  AppendRejected,
  Index,
  PeerId,
  SnapshotMetadata,
  SnapshotResponse,
} from './types.ts';

export class Replication {
  readonly #state: RaftState;
  readonly #progress = new Map<PeerId, Progress>();

  constructor(state: RaftState) {
    this.#state = state;
    this.followConfiguration();
  }

  /** All followers: members of the configuration, and those about to hear of their removal. */
  get followers(): ReadonlyMap<PeerId, Progress> {
    return this.#progress;
  }

  /** Begins with members that are new. */
  followConfiguration(): void {
    const { configuration, id, log, limits, nowUs } = this.#state;
    for (const peer of membersOf(configuration)) {
      if (peer === id || this.#progress.has(peer)) continue;
      const inflights = new Inflights(limits.inflightMessagesMax, limits.inflightBytesMax);
      this.#progress.set(peer, new Progress(asIndex(log.lastIndex + 1), nowUs, inflights));
    }
  }

  /** Lets go of peers that are members no more. */
  dropFormerMembers(): void {
    const members = membersOf(this.#state.configuration);
    for (const peer of this.#progress.keys()) {
      if (!members.includes(peer)) this.#progress.delete(peer);
    }
  }

  /** The index through which a member's disk has the leader's log. */
  matchOf(peer: PeerId): number {
    if (peer === this.#state.id) return this.#state.rules.ownMatch(this.#state.log);
    return this.#progress.get(peer)?.match ?? 0;
  }

  /** Sends what each follower may be sent; with `evenEmpty`, also news of the commit index alone. */
  broadcast(evenEmpty: boolean): void {
    for (const [peer, progress] of this.#progress) this.#sendEntries(peer, progress, evenEmpty);
  }

  heartbeat(readContext: number): void {
    const { log, rules } = this.#state;
    for (const [peer, progress] of this.#progress) {
      const commit = rules.heartbeatCommit(progress.match, log.commit);
      this.#state.send(peer, { kind: 'heartbeat', commit, readContext });
    }
  }

  /** @returns whether more is known to match than before. */
  accepted(message: AppendAccepted, progress: Progress): boolean {
    const { log, rules } = this.#state;
    invariant(message.match <= log.lastIndex, 'a follower acknowledges what was sent to it');
    const match = rules.matchAfter(progress.match, message.match);
    const isNews = progress.accepted(match, asIndex(log.base.index + 1));
    this.#sendEntries(message.from, progress, false);
    return isNews;
  }

  rejected(message: AppendRejected, progress: Progress): void {
    const { log, outbox } = this.#state;
    const { sending } = progress;
    const { hintIndex, hintTerm } = message;
    const next = asIndex(
      Math.min(
        message.previousIndex,
        log.lastPossibleMatch({ index: hintIndex, term: hintTerm }).index + 1,
      ),
    );
    if (message.lostEntries) {
      if (progress.match > hintIndex) {
        outbox.event({ kind: 'lostData', peer: message.from });
        progress.forgetMatch(next);
      } else if (sending.mode !== 'snapshot') progress.probe(next);
    } else {
      const isStale =
        sending.mode === 'probe'
          ? progress.next - 1 !== message.previousIndex
          : sending.mode === 'snapshot' || message.previousIndex <= progress.match;
      if (isStale) return;
      progress.probe(next);
    }
    this.#sendEntries(message.from, progress, true);
  }

  /** The follower is there: repeat what may have been lost on the way to it. */
  answered(peer: PeerId, progress: Progress): void {
    const { log, nowUs, electionTimeoutUs } = this.#state;
    progress.probeAgain();
    const { sending } = progress;
    if (sending.mode === 'snapshot') {
      if (nowUs - sending.chunk.sinceUs >= electionTimeoutUs) {
        this.#readChunk(peer, progress, sending.snapshot, sending.chunk.offset);
      }
    } else if (progress.match < log.lastIndex) {
      if (!progress.mayAppend) progress.inflights.freeFirst();
      this.#sendEntries(peer, progress, true);
    }
  }

  /** The next piece of a snapshot is wanted. */
  snapshotWanted(message: SnapshotResponse, progress: Progress): void {
    const { sending } = progress;
    if (sending.mode !== 'snapshot' || sending.snapshot.index !== message.index) return;
    const { snapshot, chunk } = sending;
    // An answer that asks for what is under way already is an old one, come late or twice.
    if (message.nextOffset === chunk.offset) return;
    this.#readChunk(message.from, progress, snapshot, message.nextOffset);
  }

  /** The piece has been read: send it. `bytes` is undefined where the snapshot is gone. */
  snapshotRead(peer: PeerId, index: Index, offset: number, bytes: Uint8Array | undefined): void {
    const progress = this.#progress.get(peer);
    if (progress === undefined || progress.sending.mode !== 'snapshot') return;
    const { snapshot, chunk } = progress.sending;
    if (snapshot.index !== index || chunk.offset !== offset) return;
    if (bytes === undefined) {
      if (this.#state.log.snapshot?.index !== index) this.#sendSnapshot(peer, progress);
      return;
    }
    const { nowUs } = this.#state;
    progress.sendSnapshot(snapshot, { offset, length: bytes.length, sinceUs: nowUs });
    this.#state.send(peer, { kind: 'snapshotChunk', snapshot, offset, bytes });
  }

  unreachable(peer: PeerId): void {
    const progress = this.#progress.get(peer);
    if (progress?.sending.mode === 'replicate') progress.probe(asIndex(progress.match + 1));
  }

  /** The voter whose log reaches furthest, to hand leadership to. */
  furthestVoter(): PeerId | undefined {
    let furthest: PeerId | undefined;
    for (const [peer, { match }] of this.#progress) {
      const isAhead = furthest === undefined || match > this.matchOf(furthest);
      if (isAhead && isVoter(this.#state.configuration, peer)) furthest = peer;
    }
    return furthest;
  }

  #sendEntries(peer: PeerId, progress: Progress, evenEmpty: boolean): void {
    const { log, limits } = this.#state;
    let mayBeEmpty = evenEmpty;
    while (progress.mayAppend) {
      const previousIndex = asIndex(progress.next - 1);
      const previousTerm = log.termAt(previousIndex);
      if (previousTerm === undefined) {
        this.#sendSnapshot(peer, progress);
        return;
      }
      const entries = log.slice(progress.next, log.lastIndex, limits.messageBytesMax);
      if (entries.length === 0 && !mayBeEmpty) return;
      const { commit } = log;
      this.#state.send(peer, { kind: 'append', previousIndex, previousTerm, entries, commit });
      const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
      progress.appendSent(entries.at(-1)?.index ?? previousIndex, bytes);
      mayBeEmpty = false;
    }
  }

  #sendSnapshot(peer: PeerId, progress: Progress): void {
    const { snapshot } = this.#state.log;
    if (snapshot === undefined || snapshot.index <= progress.match) return;
    this.#state.outbox.event({ kind: 'snapshotBegun', to: peer, index: snapshot.index });
    this.#readChunk(peer, progress, snapshot, 0);
  }

  #readChunk(peer: PeerId, progress: Progress, snapshot: SnapshotMetadata, offset: number): void {
    const { limits, nowUs, outbox } = this.#state;
    progress.sendSnapshot(snapshot, { offset, length: 0, sinceUs: nowUs });
    const lengthMax = limits.snapshotChunkBytes;
    outbox.readSnapshot({ to: peer, snapshot, offset, lengthMax });
  }
}

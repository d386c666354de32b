/**
 * Durable before visible, by construction.
 *
 * Everything that a step wants done passes through here. At the end of the step what must be
 * durable becomes one `Persist` with the next sequence number, and each message is looked up in the
 * rules: it leaves at once where the disk has what it shows, and else waits here until the write
 * that it depends on is answered. A message of a term that has passed meanwhile is dropped.
 */
import { invariant } from '../runtime/invariant.ts';
import type {
  AdministrationOutcome,
  Effects,
  Persist,
  ProposalOutcome,
  RaftEvent,
  ReadOutcome,
  ReceivedChunk,
  SnapshotReadRequest,
} from './effects.ts';
import type { RaftLog } from './log.ts';
import type { Rules } from './rules.ts';
import type { Entry, HardState, Index, Message, SnapshotMetadata } from './types.ts';

interface Held {
  readonly message: Message;
  readonly sequence: number;
}

export class Outbox {
  readonly #rules: Rules;
  #events: RaftEvent[] = [];
  #reads: ReadOutcome[] = [];
  #proposals: ProposalOutcome[] = [];
  #snapshotReads: SnapshotReadRequest[] = [];
  #administration: AdministrationOutcome | undefined;
  #messages: Message[] = [];
  #held: Held[] = [];
  #hardState: HardState | undefined;
  #chunk: ReceivedChunk | undefined;
  #snapshot: SnapshotMetadata | undefined;
  #compact: Persist['compact'];
  #sequence = 0;
  #sequenceOfTerm = 0;
  #sequenceDurable = 0;

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  /** The number of the write that this step's changes will be part of. */
  get nextSequence(): number {
    return this.#sequence + 1;
  }

  send(message: Message): void {
    this.#messages.push(message);
  }

  event(event: RaftEvent): void {
    this.#events.push(event);
  }

  read(outcome: ReadOutcome): void {
    this.#reads.push(outcome);
  }

  proposal(outcome: ProposalOutcome): void {
    this.#proposals.push(outcome);
  }

  administration(outcome: AdministrationOutcome): void {
    this.#administration = outcome;
  }

  readSnapshot(request: SnapshotReadRequest): void {
    this.#snapshotReads.push(request);
  }

  writeHardState(hardState: HardState): void {
    this.#hardState = hardState;
  }

  writeChunk(chunk: ReceivedChunk): void {
    this.#chunk = chunk;
  }

  writeSnapshot(snapshot: SnapshotMetadata): void {
    this.#snapshot = snapshot;
  }

  compact(snapshot: SnapshotMetadata, dropTo: Index): void {
    this.#compact = { snapshot, dropTo };
  }

  /** All writes through `sequence` are durable: releases what waited for them. */
  written(sequence: number): void {
    invariant(sequence <= this.#sequence, 'no write is answered before it was asked for');
    if (sequence > this.#sequenceDurable) this.#sequenceDurable = sequence;
  }

  /** Ends a step. */
  flush(
    log: RaftLog,
    term: number,
    restore: SnapshotMetadata | undefined,
    apply: readonly Entry[],
    wakeAtUs: number,
  ): Effects {
    const persist = this.#takePersist(log);
    const effects: Effects = {
      persist,
      messages: this.#takeMessages(log, term),
      restore,
      apply,
      reads: this.#reads,
      proposals: this.#proposals,
      administration: this.#administration,
      snapshotReads: this.#snapshotReads,
      events: this.#events,
      wakeAtUs,
    };
    this.#reads = [];
    this.#proposals = [];
    this.#administration = undefined;
    this.#snapshotReads = [];
    this.#events = [];
    return effects;
  }

  #takePersist(log: RaftLog): Persist | undefined {
    const sequence = this.nextSequence;
    const entries = log.takeUnwritten(sequence);
    const mustSync =
      entries.length > 0 || this.#hardState !== undefined || this.#snapshot !== undefined;
    if (!mustSync && this.#chunk === undefined && this.#compact === undefined) return undefined;
    const persist: Persist = {
      sequence,
      hardState: this.#hardState,
      entries,
      snapshot: this.#snapshot,
      chunk: this.#chunk,
      compact: this.#compact,
      mustSync,
    };
    this.#sequence = sequence;
    if (this.#hardState !== undefined) this.#sequenceOfTerm = sequence;
    this.#hardState = undefined;
    this.#snapshot = undefined;
    this.#chunk = undefined;
    this.#compact = undefined;
    return persist;
  }

  #takeMessages(log: RaftLog, term: number): readonly Message[] {
    const ready: Message[] = [];
    if (this.#held.length > 0) {
      const current = this.#held.filter(({ message }) => message.term === term);
      this.#held = [];
      for (const held of current) {
        if (held.sequence <= this.#sequenceDurable) ready.push(held.message);
        else this.#held.push(held);
      }
    }
    for (const message of this.#messages) {
      const sequence = this.#sequenceNeeded(message, log);
      if (sequence <= this.#sequenceDurable) ready.push(message);
      else this.#held.push({ message, sequence });
    }
    this.#messages = [];
    return ready;
  }

  #sequenceNeeded(message: Message, log: RaftLog): number {
    switch (this.#rules.durabilityOf(message, log)) {
      case 'nothing':
        return 0;
      case 'term':
        return this.#sequenceOfTerm;
      case 'everything':
        return this.#sequence;
    }
  }
}

/**
 * Exactly once: client sessions around a state machine (thesis 6.3).
 *
 * A proposer that has got no answer proposes again, and both proposals may end up in the log. So
 * each command carries its session and a serial number, and the replicated state holds, for each
 * session, the answers of the serials that the client may still ask about. A serial seen before is
 * answered from there and not applied again. All of this is part of the state: it is decided by the
 * log alone, and it goes into snapshots.
 *
 * A session is opened by an entry, and its id is that entry's index, so no two are ever the same. A
 * command of a session that is not there (any more) is never applied: `sessionUnknown`.
 */
import { invariant } from '../runtime/invariant.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import type { StateMachine } from './stores.ts';
import type { Index } from './types.ts';

export interface SessionLimits {
  /** Open sessions; beyond, the one unused for the most entries is closed. */
  readonly sessionsMax: number;
  /** Answers kept for one session; beyond, the oldest can no longer be asked for. */
  readonly answersMax: number;
}

export const SESSION_LIMITS: SessionLimits = Object.freeze({
  sessionsMax: 4096,
  answersMax: 1024,
});

/** What the log's `data` entries hold. */
export type SessionCommand =
  /** `nonce` tells the opener which of the entries was its own. */
  | { readonly kind: 'open'; readonly nonce: number }
  | {
      readonly kind: 'command';
      readonly session: number;
      readonly serial: number;
      /** The client has all answers through this serial, and will not ask for them again. */
      readonly answeredThrough: number;
      readonly bytes: Uint8Array;
    };

export type SessionAnswer =
  | { readonly kind: 'opened'; readonly nonce: number; readonly session: number }
  | {
      readonly kind: 'answered';
      readonly session: number;
      readonly serial: number;
      readonly bytes: Uint8Array;
    }
  /** The session was never there, or was closed for want of use: not applied by this entry. */
  | { readonly kind: 'sessionUnknown'; readonly session: number; readonly serial: number }
  /** The serial was applied before, and its answer is no longer kept. */
  | { readonly kind: 'answerGone'; readonly session: number; readonly serial: number };

/** The two decisions that make it once; replaced by tests only. */
export interface SessionRules {
  /** Whether a serial that the session has seen is left unapplied. */
  skipsRepeated(): boolean;
  /** Whether a snapshot carries the sessions. */
  keepsSessions(): boolean;
}

export const SESSION_RULES: SessionRules = Object.freeze({
  skipsRepeated: () => true,
  keepsSessions: () => true,
});

interface Session {
  answeredThrough: number;
  /** By serial, in the order of applying. */
  readonly answers: Map<number, Uint8Array>;
}

const OPEN = 1;
const COMMAND = 2;

export function encodeCommand(command: SessionCommand): Uint8Array {
  const writer = new ByteWriter();
  if (command.kind === 'open') {
    writer.uint8(OPEN);
    writer.uint53(command.nonce);
  } else {
    writer.uint8(COMMAND);
    writer.uint53(command.session);
    writer.uint53(command.serial);
    writer.uint53(command.answeredThrough);
    writer.bytes(command.bytes);
  }
  return writer.finish();
}

/** @throws {InvariantError} on bytes that `encodeCommand` does not make. */
function decodeCommand(bytes: Uint8Array): SessionCommand {
  const reader = new ByteReader(bytes);
  const kind = reader.uint8();
  if (kind === OPEN) return { kind: 'open', nonce: reader.uint53() };
  invariant(kind === COMMAND, 'a data entry opens a session or belongs to one');
  return {
    kind: 'command',
    session: reader.uint53(),
    serial: reader.uint53(),
    answeredThrough: reader.uint53(),
    bytes: reader.bytes(),
  };
}

/** A state machine for which a command proposed twice is a command applied once. */
export class SessionStateMachine {
  readonly #inner: StateMachine;
  readonly #limits: SessionLimits;
  readonly #rules: SessionRules;
  /** The one unused for longest comes first. */
  readonly #sessions = new Map<number, Session>();

  constructor(inner: StateMachine, limits: SessionLimits, rules: SessionRules) {
    this.#inner = inner;
    this.#limits = limits;
    this.#rules = rules;
  }

  apply(entryBytes: Uint8Array, index: Index): SessionAnswer {
    const command = decodeCommand(entryBytes);
    return command.kind === 'open'
      ? this.#open(command.nonce, index)
      : this.#applyOnce(command, index);
  }

  /** The sessions, then the inner state; see `StateMachine.snapshot`. */
  snapshot(): Iterable<Uint8Array> {
    const table = this.#encodeSessions();
    const head = new ByteWriter();
    head.uint32(table.length);
    return chain([head.finish(), table], this.#inner.snapshot());
  }

  restore(pieces: Iterable<Uint8Array>): void {
    const source = new PieceReader(pieces);
    const length = new ByteReader(source.take(4)).uint32();
    this.#restoreSessions(new ByteReader(source.take(length)));
    this.#inner.restore(source.rest());
  }

  #encodeSessions(): Uint8Array {
    const writer = new ByteWriter();
    const sessions = this.#rules.keepsSessions() ? this.#sessions : new Map<number, Session>();
    writer.uint32(sessions.size);
    for (const [id, { answeredThrough, answers }] of sessions) {
      writer.uint53(id);
      writer.uint53(answeredThrough);
      writer.uint32(answers.size);
      for (const [serial, answer] of answers) {
        writer.uint53(serial);
        writer.bytes(answer);
      }
    }
    return writer.finish();
  }

  #restoreSessions(table: ByteReader): void {
    this.#sessions.clear();
    for (let sessions = table.uint32(); sessions > 0; sessions--) {
      const id = table.uint53();
      const answeredThrough = table.uint53();
      const answers = new Map<number, Uint8Array>();
      for (let count = table.uint32(); count > 0; count--) {
        const serial = table.uint53();
        answers.set(serial, table.bytes());
      }
      this.#sessions.set(id, { answeredThrough, answers });
    }
  }

  #open(nonce: number, index: Index): SessionAnswer {
    this.#sessions.set(index, { answeredThrough: 0, answers: new Map() });
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= this.#limits.sessionsMax) break;
      this.#sessions.delete(oldest);
    }
    return { kind: 'opened', nonce, session: index };
  }

  #applyOnce(command: SessionCommand & { kind: 'command' }, index: Index): SessionAnswer {
    const { session: id, serial } = command;
    const session = this.#sessions.get(id);
    if (session === undefined) return { kind: 'sessionUnknown', session: id, serial };
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    const known = session.answers.get(serial);
    if (this.#rules.skipsRepeated()) {
      if (known !== undefined) return { kind: 'answered', session: id, serial, bytes: known };
      if (serial <= session.answeredThrough) return { kind: 'answerGone', session: id, serial };
    }
    const bytes = this.#inner.apply(command.bytes, index);
    session.answers.set(serial, bytes);
    this.#forget(session, command.answeredThrough);
    return { kind: 'answered', session: id, serial, bytes };
  }

  #forget(session: Session, answeredThrough: number): void {
    const serials = [...session.answers.keys()].sort((a, b) => a - b);
    const surplus = serials.length - this.#limits.answersMax;
    const tooMany = surplus > 0 ? serials[surplus - 1] : 0;
    session.answeredThrough = Math.max(session.answeredThrough, answeredThrough, tooMany);
    for (const serial of serials) {
      if (serial <= session.answeredThrough) session.answers.delete(serial);
    }
  }
}

function* chain(head: Iterable<Uint8Array>, tail: Iterable<Uint8Array>): Generator<Uint8Array> {
  yield* head;
  yield* tail;
}

/** Takes lengths out of bytes that come in pieces cut anywhere. */
export class PieceReader {
  readonly #pieces: Iterator<Uint8Array>;
  #left = new Uint8Array(0);

  constructor(pieces: Iterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.iterator]();
  }

  take(length: number): Uint8Array {
    const taken = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      if (this.#left.length === 0) {
        const next = this.#pieces.next();
        invariant(next.done !== true, 'a snapshot is whole');
        this.#left = new Uint8Array(next.value);
      }
      const part = this.#left.subarray(0, length - filled);
      taken.set(part, filled);
      filled += part.length;
      this.#left = this.#left.subarray(part.length);
    }
    return taken;
  }

  *rest(): Generator<Uint8Array> {
    if (this.#left.length > 0) yield this.#left;
    for (let next = this.#pieces.next(); next.done !== true; next = this.#pieces.next()) {
      yield next.value;
    }
  }
}

/**
 * Client-side caching: which clients to tell when a key changes (`CLIENT TRACKING`).
 *
 * In the default mode the node remembers who has read which key, until it has told them once; in
 * broadcasting mode a client names prefixes instead. A client is told by a RESP3 push. The table is
 * bounded: past its limit the readers of some key are told as if it had changed.
 */
import {
  writeArrayHeader,
  writeBulk,
  writeBulkText,
  writeNull,
  writePushHeader,
} from '../resp/index.ts';
import type { Domain } from '../engine/index.ts';
import type { OutputBuffer } from '../runtime/index.ts';
import { latin1, type Call } from './call.ts';
import type { Session } from './session.ts';

export interface TrackingMode {
  broadcast: boolean;
  optIn: boolean;
  optOut: boolean;
  noLoop: boolean;
  prefixes: readonly string[];
  /** What `CLIENT CACHING` said about the next command that is not `CLIENT`; undefined: nothing. */
  caching: boolean | undefined;
}

export class Tracking {
  /** Whether any client tracks: all else is skipped while none does. */
  isUsed = false;
  /** Sends an invalidation to a client other than the caller. */
  readonly #push: (session: Session, write: (out: OutputBuffer) => void) => void;
  readonly #keysMax: () => number;
  readonly #modes = new Map<Session, TrackingMode>();
  /** Keys of different namespaces have nothing to do with each other. */
  readonly #readers = new Map<Domain, Map<string, Set<Session>>>();
  #keys = 0;
  /** Keys for the caller itself, told after the reply to its command. */
  #pendingOwn: Array<Uint8Array | undefined> = [];
  #broadcasters = 0;

  constructor(
    push: (session: Session, write: (out: OutputBuffer) => void) => void,
    keysMax: () => number,
  ) {
    this.#push = push;
    this.#keysMax = keysMax;
  }

  get clients(): number {
    return this.#modes.size;
  }

  get keys(): number {
    return this.#keys;
  }

  modeOf(session: Session): TrackingMode | undefined {
    return this.#modes.get(session);
  }

  enable(session: Session, mode: TrackingMode): void {
    this.#forget(this.#modes.get(session));
    this.#modes.set(session, mode);
    if (mode.broadcast) this.#broadcasters++;
    this.isUsed = true;
    session.isTracking = !mode.broadcast;
  }

  disable(session: Session): void {
    const mode = this.#modes.get(session);
    if (mode === undefined) return;
    this.#forget(mode);
    this.#modes.delete(session);
    session.isTracking = false;
    this.isUsed = this.#modes.size > 0;
    if (this.isUsed) return;
    this.#readers.clear();
    this.#keys = 0;
  }

  #forget(mode: TrackingMode | undefined): void {
    if (mode?.broadcast) this.#broadcasters--;
  }

  /** To be called after each command while tracking is used: ends what `CLIENT CACHING` said. */
  commandDone(session: Session): void {
    const mode = this.#modes.get(session);
    if (mode?.caching === undefined || session.lastCommand.startsWith('client|')) return;
    mode.caching = undefined;
  }

  /** A tracking client reads the key in argument `index`. */
  remember(session: Session, call: Call, index: number): void {
    const mode = this.#modes.get(session);
    if (mode === undefined || mode.broadcast) return;
    if (mode.optIn && mode.caching !== true) return;
    if (mode.optOut && mode.caching === false) return;
    const key = call.text(index);
    let ofDomain = this.#readers.get(call.domain);
    if (ofDomain === undefined) {
      ofDomain = new Map();
      this.#readers.set(call.domain, ofDomain);
    }
    const readers = ofDomain.get(key);
    if (readers === undefined) {
      ofDomain.set(key, new Set([session]));
      this.#keys++;
      if (this.#keys > this.#keysMax()) this.#dropOldest(ofDomain, call.session);
    } else {
      readers.add(session);
    }
  }

  /** The key `bytes[start, end)` was changed by `writer`, or by nobody (expired, evicted). */
  invalidate(
    domain: Domain,
    bytes: Uint8Array,
    start: number,
    end: number,
    writer: Session | undefined,
  ): void {
    const key = latin1(bytes, start, end);
    const ofDomain = this.#readers.get(domain);
    const readers = ofDomain?.get(key);
    if (readers !== undefined) {
      ofDomain?.delete(key);
      this.#keys--;
      for (const session of readers) this.#tell(session, bytes.slice(start, end), writer);
    }
    if (this.#broadcasters === 0) return;
    for (const [session, mode] of this.#modes) {
      if (!mode.broadcast || session.domain !== domain) continue;
      const matches =
        mode.prefixes.length === 0 || mode.prefixes.some((prefix) => key.startsWith(prefix));
      if (matches) this.#tell(session, bytes.slice(start, end), writer);
    }
  }

  /** All keys of the writer's namespace are gone. */
  invalidateAll(writer: Session): void {
    this.#keys -= this.#readers.get(writer.domain)?.size ?? 0;
    this.#readers.delete(writer.domain);
    for (const session of this.#modes.keys()) {
      if (session.domain === writer.domain) this.#tell(session, undefined, writer);
    }
  }

  /** Writes, after the reply to a command, what it has invalidated for its own client. */
  writePendingOwn(out: OutputBuffer): void {
    if (this.#pendingOwn.length === 0) return;
    for (const key of this.#pendingOwn) writeInvalidation(out, key);
    this.#pendingOwn = [];
  }

  #tell(session: Session, key: Uint8Array | undefined, writer: Session | undefined): void {
    const mode = this.#modes.get(session);
    if (mode === undefined || session.closed || session.version !== 3) return;
    if (session !== writer) {
      this.#push(session, (out) => writeInvalidation(out, key));
    } else if (!mode.noLoop) {
      this.#pendingOwn.push(key);
    }
  }

  #dropOldest(ofDomain: Map<string, Set<Session>>, writer: Session): void {
    for (const [key, readers] of ofDomain) {
      ofDomain.delete(key);
      this.#keys--;
      const bytes = Buffer.from(key, 'latin1');
      for (const session of readers) this.#tell(session, bytes, writer);
      return;
    }
  }
}

function writeInvalidation(out: OutputBuffer, key: Uint8Array | undefined): void {
  writePushHeader(out, 2, 3);
  writeBulkText(out, 'invalidate');
  if (key === undefined) {
    writeNull(out, 3);
  } else {
    writeArrayHeader(out, 1);
    writeBulk(out, key);
  }
}

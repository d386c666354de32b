/** The last commands that took long, newest first, with their arguments shortened as Redis does. */
import type { Call } from './call.ts';

export interface SlowLogEntry {
  readonly id: number;
  readonly atSeconds: number;
  readonly durationUs: number;
  readonly arguments: readonly Buffer[];
  readonly address: string;
  readonly clientName: string;
}

const ARGUMENTS_MAX = 32;
const ARGUMENT_BYTES_MAX = 128;

export class SlowLog {
  entries: SlowLogEntry[] = [];
  #nextId = 0;

  add(call: Call, durationUs: number, lengthMax: number): void {
    const { remote } = call.session.connection;
    this.entries.unshift({
      id: this.#nextId++,
      atSeconds: Math.floor(call.nowMs / 1000),
      durationUs: Math.round(durationUs),
      arguments: shorten(call),
      address: `${remote.host}:${remote.port}`,
      clientName: call.session.name,
    });
    if (this.entries.length > lengthMax) this.entries.length = lengthMax;
  }
}

function shorten(call: Call): Buffer[] {
  const shown = call.count > ARGUMENTS_MAX ? ARGUMENTS_MAX - 1 : call.count;
  const kept = Array.from({ length: shown }, (_, index) => {
    const extra = call.length(index) - ARGUMENT_BYTES_MAX;
    if (extra <= 0) return call.copy(index);
    const start = call.starts[index];
    const head = Buffer.from(call.bytes.slice(start, start + ARGUMENT_BYTES_MAX));
    return Buffer.concat([head, Buffer.from(`... (${extra} more bytes)`)]);
  });
  if (shown < call.count) {
    kept.push(Buffer.from(`... (${call.count - shown} more arguments)`));
  }
  return kept;
}

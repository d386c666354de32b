/** The last commands that took long, newest first, with their arguments shortened as Redis does. */
import type { Call } from './call.ts';

/** What is remembered of a request: it outlives the buffer that the request came in. */
export interface SlowRequest {
  readonly atSeconds: number;
  readonly arguments: readonly Buffer[];
  readonly address: string;
  readonly clientName: string;
}

export interface SlowLogEntry extends SlowRequest {
  readonly id: number;
  readonly durationUs: number;
}

const ARGUMENTS_MAX = 32;
const ARGUMENT_BYTES_MAX = 128;

export class SlowLog {
  entries: SlowLogEntry[] = [];
  #nextId = 0;

  add(request: SlowRequest, durationUs: number, lengthMax: number): void {
    this.entries.unshift({
      ...request,
      id: this.#nextId++,
      durationUs: Math.round(durationUs),
    });
    if (this.entries.length > lengthMax) this.entries.length = lengthMax;
  }
}

export function describeRequest(call: Call): SlowRequest {
  const { remote } = call.session.connection;
  return {
    atSeconds: Math.floor(call.nowMs / 1000),
    arguments: shorten(call),
    address: `${remote.host}:${remote.port}`,
    clientName: call.session.name,
  };
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

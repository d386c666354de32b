/**
 * One port for two protocols: the first request of a connection says whether a meta peer speaks, or
 * a client. Nothing is answered here; whoever takes the connection gets its bytes from the first on.
 */
import type { Connection, Runtime } from '../runtime/index.ts';

export interface PortTakers {
  /** A peer of the group. */
  peer(connection: Connection, received: Uint8Array<ArrayBuffer>): void;
  client(connection: Connection, received: Uint8Array<ArrayBuffer>): void;
}

const PEER_HELLO = 'RAFT.';
/** `*N`, `$N` with at most ten digits each, and the beginning of the name. */
const DECIDED_BYTES = 2 * 13 + PEER_HELLO.length;
const FIRST_ARGUMENT = /^\*\d{1,10}\r\n\$\d{1,10}\r\n/;
/** A connection on which nothing is said is no use to anyone. */
const SILENCE_MS = 10_000;

/** Waits for the first bytes of a connection, and hands it on. */
export function takeConnection(
  runtime: Pick<Runtime, 'timers'>,
  connection: Connection,
  takers: PortTakers,
): void {
  let received = new Uint8Array(0);
  let isOver = false;
  const timer = runtime.timers.after(SILENCE_MS, () => end());
  const end = (): void => {
    isOver = true;
    timer.cancel();
    connection.destroy();
  };
  connection.start({
    onData: (bytes, start, stop) => {
      if (isOver) return;
      const all = new Uint8Array(received.length + stop - start);
      all.set(received);
      all.set(bytes.subarray(start, stop), received.length);
      received = all;
      const speaker = speakerOf(received);
      if (speaker === undefined) return;
      isOver = true;
      timer.cancel();
      takers[speaker](connection, received);
    },
    onDrain() {},
    onEnd: end,
    onClose: end,
  });
}

/** Undefined while too little has come to tell. */
export function speakerOf(received: Uint8Array<ArrayBuffer>): 'peer' | 'client' | undefined {
  const text = Buffer.from(received.subarray(0, DECIDED_BYTES)).toString('latin1');
  const header = FIRST_ARGUMENT.exec(text)?.[0];
  if (header === undefined) {
    const mayBecome = /^(\*(\d{1,10}(\r(\n(\$(\d{1,10}\r?)?)?)?)?)?)?$/.test(text);
    return mayBecome ? undefined : 'client';
  }
  const name = text.slice(header.length, header.length + PEER_HELLO.length);
  if (name === PEER_HELLO) return 'peer';
  return PEER_HELLO.startsWith(name) ? undefined : 'client';
}

/**
 * One peer as a process: `bench:raft-real` starts three of them, and kills them.
 *
 * A small key-value store replicated by Raft, with its log on a real disk, that clients reach by
 * RESP: `GET key`, `SET key value`, `CAS key expected value` (an expected `-` means absent), `DEL
 * key`; `STATUS` tells how it stands and what its syncs cost since the last time.
 */
import { z } from 'zod';
import { invariant, OutputBuffer } from '../src/runtime/index.ts';
import type { Connection, Runtime } from '../src/runtime/index.ts';
import { createRuntime } from '../src/runtime/node/index.ts';
import type { PeerOptions, ProposeOutcome, RaftPeer, StateMachine } from '../src/raft/index.ts';
import {
  INCOMPLETE,
  REQUEST,
  RequestReader,
  writeBulkText,
  writeError,
  writeInteger,
  writeNull,
  writeSimpleString,
} from '../src/resp/index.ts';
import { HOST, openPlanned, type PeerPlan, peerPlan, stop } from './peer-plan.ts';

/** What `STATUS` answers, as JSON. */
export const peerReport = z.object({
  role: z.string(),
  commitIndex: z.number(),
  snapshotIndex: z.number(),
  syncs: z.number(),
  batches: z.number(),
  syncBytes: z.number(),
  syncUs: z.object({ p50: z.number(), p99: z.number() }),
});
export type PeerReport = z.infer<typeof peerReport>;

const TIMEOUT_MS = 1500;

/** Commands are requests in JSON; so are the answers. */
class KeyValues implements StateMachine {
  readonly values = new Map<string, string>();

  apply(command: Uint8Array): Uint8Array {
    const [name, key, first, second] = parseStrings(command);
    const held = this.values.get(key);
    switch (name) {
      case 'SET':
        this.values.set(key, first);
        return encode('OK');
      case 'CAS': {
        const matches = first === '-' ? held === undefined : held === first;
        if (matches) this.values.set(key, second);
        return encode(matches ? '1' : '0');
      }
      default:
        return encode(this.values.delete(key) ? '1' : '0');
    }
  }

  /** Of now: a generator would begin to look only when it is first asked. */
  snapshot(): Iterable<Uint8Array> {
    return [...this.values].map((pair) => Buffer.from(`${JSON.stringify(pair)}\n`));
  }

  restore(pieces: Iterable<Uint8Array>): void {
    this.values.clear();
    for (const line of Buffer.concat([...pieces])
      .toString()
      .split('\n')) {
      if (line === '') continue;
      const [key, value] = parseStrings(Buffer.from(line));
      this.values.set(key, value);
    }
  }
}

class Syncs {
  #durations: number[] = [];
  #batches = 0;
  #bytes = 0;

  add(report: {
    readonly bytes: number;
    readonly batches: number;
    readonly durationUs: number;
  }): void {
    this.#durations.push(report.durationUs);
    this.#batches += report.batches;
    this.#bytes += report.bytes;
  }

  take(): Pick<PeerReport, 'syncs' | 'batches' | 'syncBytes' | 'syncUs'> {
    const sorted = this.#durations.sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0;
    const taken = {
      syncs: sorted.length,
      batches: this.#batches,
      syncBytes: this.#bytes,
      syncUs: { p50: at(0.5), p99: at(0.99) },
    };
    this.#durations = [];
    this.#batches = 0;
    this.#bytes = 0;
    return taken;
  }
}

function serve(
  runtime: Runtime,
  peer: RaftPeer,
  store: KeyValues,
  syncs: Syncs,
  port: number,
): void {
  runtime.network.listen(
    { host: HOST, port },
    {
      onListening: () => process.stdout.write('ready\n'),
      onConnection: (connection) => new Client(connection, peer, store, syncs),
      onError: (error) => stop(error.message),
    },
  );
}

/** One connection. Requests are answered in their order: a client has one under way at a time. */
class Client {
  readonly #connection: Connection;
  readonly #peer: RaftPeer;
  readonly #store: KeyValues;
  readonly #syncs: Syncs;
  readonly #reader = new RequestReader();
  readonly #output = new OutputBuffer(1024);

  constructor(connection: Connection, peer: RaftPeer, store: KeyValues, syncs: Syncs) {
    this.#connection = connection;
    this.#peer = peer;
    this.#store = store;
    this.#syncs = syncs;
    connection.start({
      onData: (bytes, start, end) => this.#take(bytes, start, end),
      onDrain: () => {},
      onEnd: () => connection.close(),
      onClose: () => {},
    });
  }

  #take(bytes: Uint8Array, start: number, end: number): void {
    this.#reader.push(bytes, start, end);
    for (let code = this.#reader.next(); code !== INCOMPLETE; code = this.#reader.next()) {
      invariant(code === REQUEST, 'the clients of this benchmark speak RESP');
      const { argumentBytes, argumentCount, starts, ends } = this.#reader.request;
      const args = Array.from({ length: argumentCount }, (_, index) =>
        Buffer.from(argumentBytes.subarray(starts[index], ends[index])).toString(),
      );
      this.#perform(args);
    }
    this.#reader.finish();
  }

  #perform(args: readonly string[]): void {
    const [name, key] = args;
    if (name === 'STATUS') {
      const { role, commitIndex, snapshotIndex } = this.#peer.status();
      const report = {
        role,
        commitIndex,
        snapshotIndex: snapshotIndex ?? 0,
        ...this.#syncs.take(),
      };
      this.#answer(() => writeBulkText(this.#output, JSON.stringify(report)));
    } else if (name === 'GET') {
      this.#peer.read((outcome) => {
        if (outcome.kind === 'refused') {
          this.#answer(() => writeError(this.#output, `REFUSED ${outcome.reason}`));
          return;
        }
        const value = this.#store.values.get(key);
        this.#answer(() =>
          value === undefined ? writeNull(this.#output, 2) : writeBulkText(this.#output, value),
        );
      });
    } else {
      this.#peer.propose(encode(args), TIMEOUT_MS, (outcome) =>
        this.#answer(() => this.#writeOutcome(outcome)),
      );
    }
  }

  #writeOutcome(outcome: ProposeOutcome): void {
    if (outcome.kind === 'refused') {
      writeError(this.#output, `REFUSED ${outcome.reason}`);
    } else if (outcome.kind === 'unknown') {
      writeError(this.#output, 'UNKNOWN');
    } else {
      const answer: unknown = JSON.parse(Buffer.from(outcome.answer).toString());
      if (answer === 'OK') writeSimpleString(this.#output, 'OK');
      else writeInteger(this.#output, Number(answer));
    }
  }

  #answer(write: () => void): void {
    write();
    this.#connection.send(this.#output);
  }
}

function encode(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

function parseStrings(bytes: Uint8Array): string[] {
  const parsed: unknown = JSON.parse(Buffer.from(bytes).toString());
  invariant(Array.isArray(parsed), 'a command is an array');
  return parsed.map(String);
}

function main(plan: PeerPlan): void {
  const runtime = createRuntime({ dataDirectory: plan.dataDirectory, log: { level: 'error' } });
  const store = new KeyValues();
  const syncs = new Syncs();
  const onSync: PeerOptions['onSync'] = (report) => syncs.add(report);
  openPlanned(plan, { runtime, stateMachine: store, onSync }, (peer) => {
    serve(runtime, peer, store, syncs, plan.clientPort);
  });
}

// The parent imports this file, too, for what the two say to each other.
const [, , plan] = process.argv;
if (import.meta.main && plan !== undefined) main(peerPlan.parse(JSON.parse(plan)));

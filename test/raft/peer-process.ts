/**
 * One peer as a process of its own, which its parent asks by messages and kills without warning.
 *
 * Arguments: the data directory, the peer's name, and all peers as `name=port,…`.
 */
import { createRuntime } from '../../src/runtime/node/index.ts';
import { asClusterId, asPeerId, openPeer } from '../../src/raft/index.ts';
import type { RaftPeer, SessionCommand } from '../../src/raft/index.ts';
import { PeerTransport } from '../../src/raft/transport.ts';
import { RegisterMachine } from './register-machine.ts';

export type Request =
  | { readonly id: number; readonly kind: 'open'; readonly nonce: number }
  | {
      readonly id: number;
      readonly kind: 'command';
      readonly session: number;
      readonly serial: number;
      readonly text: string;
    }
  | { readonly id: number; readonly kind: 'read'; readonly key: string }
  | { readonly id: number; readonly kind: 'status' };

export type Reply =
  | { readonly id: number; readonly kind: 'opened'; readonly session: number }
  | { readonly id: number; readonly kind: 'answered'; readonly text: string }
  | { readonly id: number; readonly kind: 'value'; readonly value: string | undefined }
  | {
      readonly id: number;
      readonly kind: 'status';
      readonly role: string;
      readonly applied: number;
      readonly syncs: number;
      readonly batches: number;
    }
  /** Ask again, here or elsewhere. */
  | { readonly id: number; readonly kind: 'failed' };

const ATTEMPT_MS = 1500;

const [directory, name, list] = process.argv.slice(2);
const addresses = new Map(
  list.split(',').map((each) => {
    const [peer, port] = each.split('=');
    return [asPeerId(peer), { host: '127.0.0.1', port: Number(port) }];
  }),
);
const cluster = asClusterId('killed');
const id = asPeerId(name);
const address = addresses.get(id) ?? { host: '127.0.0.1', port: 0 };
const runtime = createRuntime({ dataDirectory: directory, log: { level: 'error' } });
const machine = new RegisterMachine();
const syncs = { count: 0, batches: 0 };
let transport: PeerTransport | undefined;

function reply(message: Reply): void {
  process.send?.(message);
}

function serve(peer: RaftPeer, request: Request): void {
  const { id: requestId } = request;
  const failed = (): void => reply({ id: requestId, kind: 'failed' });
  switch (request.kind) {
    case 'open':
      submit({ kind: 'open', nonce: request.nonce });
      break;
    case 'command': {
      const { session, serial, text } = request;
      const bytes = new TextEncoder().encode(text);
      submit({ kind: 'command', session, serial, answeredThrough: serial - 1, bytes });
      break;
    }
    case 'read':
      peer.read(({ kind }) => {
        const value = machine.values.get(request.key);
        if (kind === 'ready') reply({ id: requestId, kind: 'value', value });
        else failed();
      });
      break;
    case 'status': {
      const { role, appliedIndex: applied } = peer.status();
      const { count, batches } = syncs;
      reply({ id: requestId, kind: 'status', role, applied, syncs: count, batches });
      break;
    }
  }

  function submit(command: SessionCommand): void {
    peer.submit(command, ATTEMPT_MS, (outcome) => {
      const answer = outcome.kind === 'answered' ? outcome.answer : undefined;
      if (answer?.kind === 'opened') {
        reply({ id: requestId, kind: 'opened', session: answer.session });
      } else if (answer?.kind === 'answered') {
        const text = new TextDecoder().decode(answer.bytes);
        reply({ id: requestId, kind: 'answered', text });
      } else failed();
    });
  }
}

openPeer(
  {
    runtime,
    cluster,
    peer: id,
    directory: name,
    stateMachine: machine,
    bootstrap: addresses,
    snapshotEntries: 300,
    segmentBytesMax: 64 * 1024,
    limits: { trailingEntries: 50 },
    transport: (store) =>
      (transport = new PeerTransport(runtime, { cluster, peer: id, store, address })),
    onSync: ({ batches }) => {
      syncs.count++;
      syncs.batches += batches;
    },
    observer: {
      onFailure(error) {
        throw error;
      },
    },
  },
  (opening) => {
    if (opening.error !== undefined) throw opening.error;
    const { peer } = opening;
    transport?.listen(address, (error) => {
      if (error !== undefined) throw error;
      process.on('message', (request: Request) => serve(peer, request));
      process.send?.({ id: 0, kind: 'failed' } satisfies Reply);
    });
  },
);

/**
 * One metadata peer as a process: `bench:meta` starts three of them. The store over Raft on a real
 * disk, reached by RPC: `put {key, value}` answers the revision, `role` what the peer is.
 */
import { z } from 'zod';
import { CachectlError } from '../src/cluster/index.ts';
import { RaftMetadataStore, StoreMachine } from '../src/meta/store/index.ts';
import { asClusterId, asPeerId, openPeer, PeerTransport } from '../src/raft/index.ts';
import type { RaftPeer } from '../src/raft/index.ts';
import { RpcServer } from '../src/rpc/index.ts';
import type { Runtime } from '../src/runtime/index.ts';
import { createRuntime } from '../src/runtime/node/index.ts';
import { type PeerPlan, peerPlan } from './raft-real-peer.ts';

const HOST = '127.0.0.1';
const TIMEOUT_MS = 5000;

const putCall = z.object({ key: z.string(), value: z.string() });

function serve(runtime: Runtime, peer: RaftPeer, store: RaftMetadataStore, port: number): void {
  const server = new RpcServer(runtime, {
    onCall: (_session, method, body, answer) => {
      if (method === 'role') {
        answer({ ok: true, body: { role: peer.status().role } });
        return;
      }
      const { key, value } = putCall.parse(body);
      const changes = [{ kind: 'put', key, value } as const];
      store.commit({ compares: [], changes }, TIMEOUT_MS, (outcome) => {
        if (outcome.kind === 'committed') {
          answer({ ok: true, body: { revision: outcome.revision } });
        } else {
          const error = new CachectlError('ERR_CACHECTL_NO_QUORUM', outcome.kind);
          answer({ ok: false, error });
        }
      });
    },
  });
  runtime.network.listen(
    { host: HOST, port },
    {
      onListening: () => process.stdout.write('ready\n'),
      onConnection: (connection) => server.accept(connection),
      onError: (error) => stop(error.message),
    },
  );
}

function stop(words: string): never {
  process.stderr.write(`${words}\n`);
  process.exit(1);
}

function main(plan: PeerPlan): void {
  const runtime = createRuntime({ dataDirectory: plan.dataDirectory, log: { level: 'error' } });
  const machine = new StoreMachine(runtime.timers);
  const cluster = asClusterId('bench');
  const name = asPeerId(plan.name);
  const peers = new Map(
    plan.peers.map((peer) => [asPeerId(peer.name), { host: HOST, port: peer.port }]),
  );
  const address = peers.get(name);
  if (address === undefined) stop('a peer is one of the peers');
  openPeer(
    {
      runtime,
      cluster,
      peer: name,
      directory: 'raft',
      stateMachine: machine,
      transport: (disk) => {
        const transport = new PeerTransport(runtime, { cluster, peer: name, store: disk, address });
        transport.listen(address, (error) => {
          if (error !== undefined) stop(error.message);
        });
        return transport;
      },
      bootstrap: peers,
      snapshotEntries: plan.snapshotEntries,
      segmentBytesMax: plan.segmentBytesMax,
      observer: { onFailure: (error) => stop(error.message) },
    },
    (opening) => {
      if (opening.error !== undefined) stop(opening.error.message);
      const store = new RaftMetadataStore(machine, opening.peer);
      serve(runtime, opening.peer, store, plan.clientPort);
    },
  );
}

main(peerPlan.parse(JSON.parse(process.argv[2])));

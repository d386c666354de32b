/**
 * One metadata peer as a process: `bench:meta` starts three of them. The store over Raft on a real
 * disk, reached by RPC: `put {key, value}` answers the revision, `role` what the peer is.
 */
import { z } from 'zod';
import { CachectlError } from '../src/cluster/index.ts';
import { RaftMetadataStore, StoreMachine } from '../src/meta/store/index.ts';
import type { RaftPeer } from '../src/raft/index.ts';
import { RpcServer } from '../src/rpc/index.ts';
import type { Runtime } from '../src/runtime/index.ts';
import { createRuntime } from '../src/runtime/node/index.ts';
import { HOST, openPlanned, type PeerPlan, peerPlan, stop } from './peer-plan.ts';

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

function main(plan: PeerPlan): void {
  const runtime = createRuntime({ dataDirectory: plan.dataDirectory, log: { level: 'error' } });
  const machine = new StoreMachine(runtime.timers);
  openPlanned(plan, { runtime, stateMachine: machine }, (peer) => {
    serve(runtime, peer, new RaftMetadataStore(machine, peer), plan.clientPort);
  });
}

main(peerPlan.parse(JSON.parse(process.argv[2])));

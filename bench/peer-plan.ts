/** A Raft peer as a process of its own: what its parent tells it, and how it opens. */
import { z } from 'zod';
import { asClusterId, asPeerId, openPeer, PeerTransport } from '../src/raft/index.ts';
import type { PeerOptions, RaftPeer } from '../src/raft/index.ts';
import type { Address } from '../src/runtime/index.ts';

/** What the parent says on the command line, as JSON. */
export const peerPlan = z.object({
  name: z.string(),
  /** Of all peers, this one among them. */
  peers: z.array(z.object({ name: z.string(), port: z.number() })),
  clientPort: z.number(),
  dataDirectory: z.string(),
  snapshotEntries: z.number(),
  segmentBytesMax: z.number(),
});
export type PeerPlan = z.infer<typeof peerPlan>;

export const HOST = '127.0.0.1';

/** Ends the process where the peer cannot open, or fails later. */
export function openPlanned(
  plan: PeerPlan,
  options: Pick<PeerOptions, 'runtime' | 'stateMachine' | 'onSync'>,
  opened: (peer: RaftPeer) => void,
): void {
  const { runtime } = options;
  const cluster = asClusterId('bench');
  const peer = asPeerId(plan.name);
  const peers = new Map(
    plan.peers.map(({ name, port }): [typeof peer, Address] => [
      asPeerId(name),
      { host: HOST, port },
    ]),
  );
  const address = peers.get(peer);
  if (address === undefined) stop('a peer is one of the peers');
  openPeer(
    {
      ...options,
      cluster,
      peer,
      directory: 'raft',
      transport: (store) => {
        const transport = new PeerTransport(runtime, { cluster, peer, store, address });
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
      opened(opening.peer);
    },
  );
}

export function stop(words: string): never {
  process.stderr.write(`${words}\n`);
  process.exit(1);
}

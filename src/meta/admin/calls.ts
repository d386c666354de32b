/** The admin API as calls of a meta peer: `MetaPeerOptions.makeCalls`. */
import type { CallHandler, CallTable, MetaPeer } from '../peer.ts';
import type { AdminHost } from './host.ts';
import { OPERATIONS } from './schemas.ts';
import { AdminService } from './service.ts';

export function adminCalls(peer: MetaPeer): CallTable {
  const host: AdminHost = {
    runtime: peer.runtime,
    store: peer.store,
    lifeOf: (node) => peer.lifeOf(node),
    peers: () => peer.peers(),
    addPeer: (name, address, done) => peer.group.add(name, address, done),
    removePeer: (name, done) => peer.group.remove(name, done),
    transferLeader: (to, done) => peer.group.transferLeader(to, done),
  };
  const service = new AdminService(host);
  return new Map(
    OPERATIONS.map(({ name }): [string, CallHandler] => [
      name,
      (body, answer, session) => {
        const caller = { name: session === undefined ? 'http' : `rpc ${session.remote.host}` };
        service.call(caller, name, body, answer);
      },
    ]),
  );
}

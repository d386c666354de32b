/** Changes to the group of meta peers itself: they go past the store, one at a time. */
import { ADDRESS_FORM, CachectlError, parseAddress } from '../../cluster/index.ts';
import type { RpcOutcome } from '../../rpc/index.ts';
import { conflict, exists, notFound } from './handlers.ts';
import type { AdminHost, Settled } from './host.ts';
import type { CheckedInput } from './schemas.ts';

type PeerChange = 'meta.add' | 'meta.remove' | 'meta.transfer-leader';

type PeerChanges = {
  readonly [Name in PeerChange]: (
    host: AdminHost,
    input: CheckedInput<Name>,
    done: Settled,
  ) => void;
};

export const PEER_CHANGES: PeerChanges = {
  'meta.add': (host, { name, address: text }, done) => {
    const address = parseAddress(text);
    if (address === undefined || address.port === 0) {
      const words = `address is '${text}', which is not ${ADDRESS_FORM}`;
      done(new CachectlError('ERR_CACHECTL_VALUE', words));
    } else if (findPeer(host, name) !== undefined) {
      done(exists(`meta peer '${name}'`));
    } else {
      host.addPeer(name, address, done);
    }
  },
  'meta.remove': (host, { name }, done) => {
    const voters = host.peers().filter(({ isVoter }) => isVoter);
    if (findPeer(host, name) === undefined) {
      done(noPeer(name));
    } else if (voters.length === 1 && voters[0]?.name === name) {
      done(conflict(`meta peer '${name}' is the last one`, 'Add another before you remove it.'));
    } else {
      host.removePeer(name, done);
    }
  },
  'meta.transfer-leader': (host, { to }, done) => {
    const target = to === undefined ? undefined : findPeer(host, to);
    if (to !== undefined && target === undefined) done(noPeer(to));
    else if (target?.role === 'leader') done(conflict(`meta peer '${target.name}' leads already`));
    else host.transferLeader(to, done);
  },
};

export function isPeerChange(name: string): name is PeerChange {
  return Object.hasOwn(PEER_CHANGES, name);
}

/** @param input of this operation, checked */
export function changePeers(
  host: AdminHost,
  name: PeerChange,
  input: unknown,
  answer: (outcome: RpcOutcome) => void,
): void {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the operation's schema let it through
  const change = PEER_CHANGES[name] as (host: AdminHost, input: unknown, done: Settled) => void;
  change(host, input, (error) => {
    answer(
      error === undefined ? { ok: true, body: { peers: [...host.peers()] } } : { ok: false, error },
    );
  });
}

function findPeer(host: AdminHost, name: string) {
  return host.peers().find((peer) => peer.name === name);
}

function noPeer(name: string): CachectlError {
  return notFound(`meta peer '${name}'`, 'See: cachectl meta peers');
}

/**
 * Who takes part: questions to a configuration, and its bytes.
 *
 * A configuration is in force at a peer from the moment its entry is in that peer's log, committed
 * or not (Raft §6), and no longer once the entry is cut away.
 */
import { invariant } from '../runtime/invariant.ts';
import type { Address } from '../runtime/ports.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { asPeerId } from './types.ts';
import type { Configuration, PeerId } from './types.ts';

/** Of a peer that has not yet heard of any cluster. */
export const EMPTY_CONFIGURATION: Configuration = Object.freeze({
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  addresses: new Map<PeerId, Address>(),
});

/** The configuration to begin a cluster with. */
export function initialConfiguration(voters: ReadonlyMap<PeerId, Address>): Configuration {
  invariant(voters.size > 0, 'a cluster begins with at least one voter');
  return makeConfiguration({ voters: voters.keys() }, voters);
}

/** Sorts the lists, and keeps the addresses of members only. */
export function makeConfiguration(
  members: {
    readonly voters: Iterable<PeerId>;
    readonly votersOutgoing?: Iterable<PeerId>;
    readonly learners?: Iterable<PeerId>;
    readonly learnersNext?: Iterable<PeerId>;
  },
  addresses: ReadonlyMap<PeerId, Address>,
): Configuration {
  const lists = {
    voters: sorted(members.voters),
    votersOutgoing: sorted(members.votersOutgoing ?? []),
    learners: sorted(members.learners ?? []),
    learnersNext: sorted(members.learnersNext ?? []),
  };
  const kept = new Map<PeerId, Address>();
  for (const peer of membersOf(lists)) {
    const address = addresses.get(peer);
    invariant(address !== undefined, 'each member of a configuration has an address');
    kept.set(peer, address);
  }
  return { ...lists, addresses: kept };
}

export function isJoint(configuration: Configuration): boolean {
  return configuration.votersOutgoing.length > 0;
}

/** In either half of a joint configuration. */
export function isVoter(configuration: Configuration, peer: PeerId): boolean {
  return configuration.voters.includes(peer) || configuration.votersOutgoing.includes(peer);
}

/** Everyone who receives the log, sorted. */
export function membersOf(configuration: Omit<Configuration, 'addresses'>): readonly PeerId[] {
  return sorted([
    ...configuration.voters,
    ...configuration.votersOutgoing,
    ...configuration.learners,
    ...configuration.learnersNext,
  ]);
}

/** By code unit, without repetition: the same on every machine. */
function sorted(peers: Iterable<PeerId>): PeerId[] {
  return [...new Set(peers)].sort((a, b) => (a < b ? -1 : 1));
}

const VERSION = 1;
const VOTER = 1;
const OUTGOING = 2;
const LEARNER = 4;
const LEARNER_NEXT = 8;

/**
 * `version u8 · count u16 · count × (roles u8 · id · host · port u16)`, members in order. Equal
 * configurations have equal bytes.
 */
export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const members = membersOf(configuration);
  const writer = new ByteWriter();
  writer.uint8(VERSION);
  writer.uint16(members.length);
  for (const peer of members) {
    const address = configuration.addresses.get(peer);
    invariant(address !== undefined, 'each member of a configuration has an address');
    writer.uint8(rolesOf(configuration, peer));
    writer.text(peer);
    writer.text(address.host);
    writer.uint16(address.port);
  }
  return writer.finish();
}

/** @throws {InvariantError} on bytes that `encodeConfiguration` does not make. */
export function decodeConfiguration(bytes: Uint8Array): Configuration {
  const reader = new ByteReader(bytes);
  invariant(reader.uint8() === VERSION, 'a configuration is of a version known here');
  const addresses = new Map<PeerId, Address>();
  const members: Array<{ readonly peer: PeerId; readonly roles: number }> = [];
  for (let count = reader.uint16(); count > 0; count--) {
    const roles = reader.uint8();
    const peer = asPeerId(reader.text());
    addresses.set(peer, { host: reader.text(), port: reader.uint16() });
    members.push({ peer, roles });
  }
  invariant(reader.isAtEnd, 'nothing follows a configuration');
  const inRole = (role: number): PeerId[] =>
    members.filter(({ roles }) => (roles & role) !== 0).map(({ peer }) => peer);
  return makeConfiguration(
    {
      voters: inRole(VOTER),
      votersOutgoing: inRole(OUTGOING),
      learners: inRole(LEARNER),
      learnersNext: inRole(LEARNER_NEXT),
    },
    addresses,
  );
}

function rolesOf(configuration: Configuration, peer: PeerId): number {
  return (
    (configuration.voters.includes(peer) ? VOTER : 0) |
    (configuration.votersOutgoing.includes(peer) ? OUTGOING : 0) |
    (configuration.learners.includes(peer) ? LEARNER : 0) |
    (configuration.learnersNext.includes(peer) ? LEARNER_NEXT : 0)
  );
}

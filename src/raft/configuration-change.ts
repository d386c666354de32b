/**
 * From one configuration to another, through joint consensus (Raft §6, and only that way).
 *
 *     change wanted ──► learners added ──► joint ──► final
 *                       (quorums as they    (both      (votersOutgoing gone,
 *                        were; skipped if    quorums)   learnersNext are learners)
 *                        none are new)
 *
 * New voters start as learners, so that a majority never depends on a peer with an empty log. Every
 * step to the right is one log entry, and is taken only when the one before it is committed. The
 * first step changes no quorum; in the joint configuration each decision needs both majorities, so
 * that the old voters alone and the new voters alone can never decide apart from each other.
 */
import type { Address } from '../runtime/ports.ts';
import { isJoint, makeConfiguration } from './configuration.ts';
import type { ConfigurationChange } from './effects.ts';
import type { Configuration, PeerId } from './types.ts';

/** Why `change` cannot be carried out from `current`; `undefined` where it can. */
export function changeProblem(
  current: Configuration,
  change: ConfigurationChange,
): string | undefined {
  if (isJoint(current)) return 'a joint configuration has to be left first';
  if (change.voters.size === 0) return 'a configuration needs at least one voter';
  for (const peer of change.learners.keys()) {
    if (change.voters.has(peer)) return `${peer} cannot be voter and learner at once`;
  }
  return undefined;
}

/** The peers that must catch up before they may vote. */
export function newVoters(current: Configuration, change: ConfigurationChange): readonly PeerId[] {
  return [...change.voters.keys()].filter((peer) => !current.voters.includes(peer)).sort();
}

/** Whether the change leaves the set of voters, and so every quorum, as it is. */
export function keepsVoters(current: Configuration, change: ConfigurationChange): boolean {
  return (
    change.voters.size === current.voters.length &&
    current.voters.every((peer) => change.voters.has(peer))
  );
}

/**
 * The voters of `current`, with the learners and the future voters of `change` as learners, and all
 * addresses up to date. Voters who leave stay until the joint step.
 */
export function addLearners(current: Configuration, change: ConfigurationChange): Configuration {
  const learners = [...change.learners.keys(), ...newVoters(current, change)].filter(
    (peer) => !current.voters.includes(peer),
  );
  return makeConfiguration({ voters: current.voters, learners }, addressesOf(current, change));
}

/** Both sets of voters at once. A voter that becomes a learner does so when it stops voting. */
export function enterJoint(current: Configuration, change: ConfigurationChange): Configuration {
  const outgoing = new Set(current.voters);
  const learners = [...change.learners.keys()];
  return makeConfiguration(
    {
      voters: change.voters.keys(),
      votersOutgoing: current.voters,
      learners: learners.filter((peer) => !outgoing.has(peer)),
      learnersNext: learners.filter((peer) => outgoing.has(peer)),
    },
    addressesOf(current, change),
  );
}

export function leaveJoint(current: Configuration): Configuration {
  return makeConfiguration(
    { voters: current.voters, learners: [...current.learners, ...current.learnersNext] },
    current.addresses,
  );
}

function addressesOf(
  current: Configuration,
  change: ConfigurationChange,
): ReadonlyMap<PeerId, Address> {
  return new Map([...current.addresses, ...change.voters, ...change.learners]);
}

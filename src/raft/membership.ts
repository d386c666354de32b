/**
 * A leader's part in changing who takes part: it takes the steps of `configuration-change.ts`, each
 * when the one before it is committed.
 *
 * What is wanted is kept in this leader's memory until the joint step. A leader that is lost before
 * leaves learners behind and no harm; whoever wanted the change asks again, which is why a change
 * names the members wanted and not the difference. Once the joint configuration is in a log, every
 * later leader leaves it.
 */
import {
  addLearners,
  changeProblem,
  enterJoint,
  keepsVoters,
  leaveJoint,
  newVoters,
} from './configuration-change.ts';
import { encodeConfiguration, isJoint, isVoter } from './configuration.ts';
import type { AdministrationOutcome, ConfigurationChange } from './effects.ts';
import type { Replication } from './replication.ts';
import type { RaftState } from './state.ts';
import type { Configuration, Index, PeerId } from './types.ts';

export class Membership {
  readonly #state: RaftState;
  readonly #replication: Replication;
  readonly #append: (configuration: Configuration) => void;
  #wanted: ConfigurationChange | undefined;
  #settled: Index | undefined;

  /** @param append writes a configuration entry into the leader's log. */
  constructor(
    state: RaftState,
    replication: Replication,
    append: (configuration: Configuration) => void,
  ) {
    this.#state = state;
    this.#replication = replication;
    this.#append = append;
  }

  change(change: ConfigurationChange): AdministrationOutcome {
    const { configuration, log, rules, term } = this.#state;
    if (!rules.mayChange(log, log.termAt(log.commit), term)) {
      const words = 'an earlier change, or the start of this term, is not committed yet';
      return { accepted: false, refused: 'changePending', words };
    }
    const problem = changeProblem(configuration, change);
    if (problem !== undefined) {
      const refused = isJoint(configuration) ? 'changePending' : 'invalidChange';
      return { accepted: false, refused, words: problem };
    }
    this.#wanted = change;
    if (this.#laggards(change).length > 0)
      this.#appendUnlessSame(addLearners(configuration, change));
    this.#promote();
    return { accepted: true };
  }

  /**
   * Takes the step that is due, if any: to be called when the commit index has risen, a follower
   * has moved forward, or a configuration was appended.
   * @returns false where this peer was removed, so that it must not lead any longer.
   */
  advance(): boolean {
    const { configuration, id, log, rules } = this.#state;
    if (isJoint(configuration)) {
      if (rules.mayLeaveJoint(log)) this.#append(leaveJoint(configuration));
      return true;
    }
    if (log.configurationIndex > log.commit) return true;
    if (this.#settled !== log.configurationIndex) {
      this.#settled = log.configurationIndex;
      this.#replication.dropFormerMembers();
    }
    this.#promote();
    return isVoter(configuration, id);
  }

  /** Enters the joint configuration as soon as all new voters have caught up. */
  #promote(): void {
    const change = this.#wanted;
    const { configuration, log, outbox, rules } = this.#state;
    if (change === undefined || log.configurationIndex > log.commit) return;
    if (this.#laggards(change).length > 0) return;
    this.#wanted = undefined;
    for (const peer of newVoters(configuration, change)) outbox.event({ kind: 'caughtUp', peer });
    const joint = enterJoint(configuration, change);
    const isDirect = !rules.needsJoint(keepsVoters(configuration, change));
    this.#appendUnlessSame(isDirect ? leaveJoint(joint) : joint);
  }

  /** New voters that are still too far behind to be counted on. */
  #laggards(change: ConfigurationChange): readonly PeerId[] {
    const { configuration, id, log, limits } = this.#state;
    return newVoters(configuration, change).filter((peer) => {
      if (peer === id) return false;
      const progress = this.#replication.followers.get(peer);
      return (
        progress?.sending.mode !== 'replicate' ||
        log.commit - progress.match > limits.promotionLagEntriesMax
      );
    });
  }

  #appendUnlessSame(configuration: Configuration): void {
    const current = encodeConfiguration(this.#state.configuration);
    const isSame = Buffer.compare(current, encodeConfiguration(configuration)) === 0;
    if (!isSame) this.#append(configuration);
  }
}

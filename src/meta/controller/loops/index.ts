/** The loops of a controller, in the order in which they are stepped. */
import type { LeaseTimes } from '../../../cluster/index.ts';
import type { ControllerLoop } from '../loop.ts';
import type { ControllerRules } from '../rules.ts';
import { AbsenceLoop } from './absences.ts';
import { BootstrapLoop, type NewCluster } from './bootstrap.ts';
import { DeathLoop } from './deaths.ts';
import { MoveLoop } from './moves.ts';
import { PlacingLoop } from './placing.ts';
import { PromotionLoop } from './promotion.ts';
import { QuotaLoop } from './quotas.ts';
import { RepairLoop } from './repair.ts';
import { RolloutLoop } from './rollouts.ts';
import { TrimLoop } from './trim.ts';

export interface LoopOptions {
  readonly times: LeaseTimes;
  readonly rules: ControllerRules;
  /** What the cluster is to be, where it does not exist yet. */
  readonly newCluster: NewCluster;
  /** How many nodes the first map waits for, for two seconds at most. */
  readonly initialNodes: number;
}

/** Anew for each leadership. */
export function makeLoops(options: LoopOptions): readonly ControllerLoop[] {
  const { times, rules, newCluster, initialNodes } = options;
  return [
    new BootstrapLoop(newCluster),
    new DeathLoop(),
    new PromotionLoop(times, rules),
    new AbsenceLoop(),
    new TrimLoop(),
    new PlacingLoop(initialNodes),
    new MoveLoop(rules),
    new RepairLoop(),
    new QuotaLoop(times),
    new RolloutLoop(),
  ];
}

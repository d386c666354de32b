/** Keeps the receipts of failovers to the last so many. */
import { type ControllerLoop, type LoopStep, type LoopView, NO_STEP } from '../loop.ts';

const RECEIPTS_MAX = 10_000;
/** Dropped at a time, so that not each receipt costs a commit. */
const DROPPED = 1000;

export class TrimLoop implements ControllerLoop {
  readonly name = 'trim';

  step({ state }: LoopView): LoopStep {
    if (state.receiptKeys.size <= RECEIPTS_MAX) return NO_STEP;
    const oldest = [...state.receiptKeys].sort().slice(0, DROPPED);
    const changes = oldest.map((key) => ({ kind: 'delete', key }) as const);
    return { commit: { compares: [], changes, events: [] } };
  }
}

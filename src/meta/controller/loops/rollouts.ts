/** Takes rollouts of config documents from wave to wave, or back. */
import {
  decideRollout,
  METADATA_KEYS,
  type NodeId,
  type Rollout,
  type RolloutNode,
} from '../../../cluster/index.ts';
import {
  NO_STEP,
  type ControllerLoop,
  type LoopStep,
  type LoopTime,
  type LoopView,
} from '../loop.ts';
import { put } from '../map-commit.ts';
import { configOf } from '../node-config.ts';

/** What this leader has seen of a wave. */
interface Watched {
  readonly revision: number;
  readonly sinceUs: number;
  readonly boots: ReadonlyMap<NodeId, string>;
  appliedSinceUs: number | undefined;
}

export class RolloutLoop implements ControllerLoop {
  readonly name = 'rollouts';
  readonly #watched = new Map<string, Watched>();

  step(view: LoopView, time: LoopTime): LoopStep {
    const { state } = view;
    for (const rollout of state.rollouts.values()) {
      const { document, phase } = rollout;
      if (phase === 'done' || phase === 'rolled-back') {
        this.#watched.delete(document);
        continue;
      }
      const watched = this.#watch(view, rollout, time.nowUs);
      const nodes = nodesOf(view, watched);
      const wave = nodes.filter(({ id, isSteady }) => isSteady && rollout.nodes.includes(id));
      const isApplied = wave.every(({ hasApplied }) => hasApplied);
      watched.appliedSinceUs = isApplied ? (watched.appliedSinceUs ?? time.nowUs) : undefined;
      const sinceMs = (sinceUs: number): number => (time.nowUs - sinceUs) / 1000;
      const { appliedSinceUs } = watched;
      const appliedMs = appliedSinceUs === undefined ? undefined : sinceMs(appliedSinceUs);
      const decision = decideRollout(rollout, nodes, sinceMs(watched.sinceUs), appliedMs);
      if (decision.kind === 'wait') continue;
      const { phase: reached, nodes: having, error } = decision;
      const next: Rollout = {
        ...{ ...rollout, phase: reached, nodes: [...having], waveSinceMs: time.wallMs },
        ...(error === undefined ? {} : { error }),
      };
      const words = error ?? `version ${rollout.version}: ${reached}, ${having.length} nodes`;
      const operation = error === undefined ? 'rollout.wave' : 'rollout.rollback';
      const key = METADATA_KEYS.rollout(document);
      return {
        commit: {
          compares: [state.unchanged(key)],
          changes: [put(key, next)],
          events: [{ operation, subject: `config ${document}`, words }],
        },
      };
    }
    return NO_STEP;
  }

  #watch({ state }: LoopView, { document }: Rollout, nowUs: number): Watched {
    const revision = state.revisionOf(METADATA_KEYS.rollout(document));
    const known = this.#watched.get(document);
    if (known?.revision === revision) return known;
    const boots = new Map([...state.nodes.values()].map(({ id, bootId }) => [id, bootId]));
    const watched = { revision, sinceUs: nowUs, boots, appliedSinceUs: undefined };
    this.#watched.set(document, watched);
    return watched;
  }
}

/** Those that take part: that live, or lived when the wave began. */
function nodesOf({ state, lives }: LoopView, { boots }: Watched): RolloutNode[] {
  return [...state.nodes.values()].flatMap((record): RolloutNode[] => {
    const { id, name, bootId } = record;
    const isLive = record.state !== 'down' && lives.isAlive(id);
    const bootBefore = boots.get(id);
    if (!isLive && bootBefore === undefined) return [];
    const isSteady = isLive && (bootBefore === undefined || bootBefore === bootId);
    const hasApplied = lives.heartbeatOf(id)?.configVersion === configOf(state, id).version;
    return [{ id, name, isSteady, hasApplied }];
  });
}

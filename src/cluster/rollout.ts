/**
 * How a new version of a config document reaches the nodes: in waves, each of which must be well for
 * a while before the next begins; or not at all. Pure.
 *
 * A wave is well while its nodes live on, as the processes that they were, and have applied what
 * they were sent. Whatever is not taken back is: all nodes return to the version before.
 */
import type { Rollout } from './config-document.ts';
import type { NodeId } from './ids.ts';

export interface RolloutNode {
  readonly id: NodeId;
  readonly name: string;
  /** Lives, as the same process as when the wave began. */
  readonly isSteady: boolean;
  /** Its heartbeats show the configuration that it is to have. */
  readonly hasApplied: boolean;
}

export type RolloutDecision =
  | { readonly kind: 'wait' }
  | {
      readonly kind: 'step';
      readonly phase: Rollout['phase'];
      readonly nodes: readonly NodeId[];
      readonly error?: string;
    };

/** A wave is to be well for so long after all of it has the version. */
const HEALTHY_MS = 5000;
/** A node that has not applied it by then does not take it. */
const APPLY_MS = 30_000;
/** In the last wave so many of a hundred may die: among many nodes one does now and then. */
const DEAD_PERCENT_MAX = 10;

const WAIT: RolloutDecision = { kind: 'wait' };

/**
 * @param nodes all that are up or draining, or were when the wave began
 * @param waveMs since the leader has seen the wave as it is
 * @param appliedMs since it has seen all of the wave with the version; undefined: not all have it
 */
export function decideRollout(
  rollout: Rollout,
  nodes: readonly RolloutNode[],
  waveMs: number,
  appliedMs: number | undefined,
): RolloutDecision {
  if (rollout.phase === 'done' || rollout.phase === 'rolled-back') return WAIT;
  const error = faultOf(rollout, nodes, waveMs);
  if (error !== undefined) return { kind: 'step', phase: 'rolled-back', nodes: [], error };
  if (rollout.isPaused || nodes.length === 0) return WAIT;
  if (rollout.nodes.length === 0) {
    return { kind: 'step', phase: 'canary', nodes: waveOf(rollout, nodes, 1) };
  }
  if (appliedMs === undefined || appliedMs < HEALTHY_MS) return WAIT;
  if (rollout.phase === 'canary' && nodes.length > 1) {
    return { kind: 'step', phase: 'quarter', nodes: waveOf(rollout, nodes, nodes.length / 4) };
  }
  if (rollout.phase !== 'all') {
    return { kind: 'step', phase: 'all', nodes: waveOf(rollout, nodes, nodes.length) };
  }
  return { kind: 'step', phase: 'done', nodes: [...rollout.nodes] };
}

/** What is wrong with the wave, in words. */
function faultOf(
  { phase, nodes: wave }: Rollout,
  nodes: readonly RolloutNode[],
  waveMs: number,
): string | undefined {
  const inWave = nodes.filter(({ id }) => wave.includes(id));
  const dead = inWave.filter(({ isSteady }) => !isSteady);
  const deadMax = phase === 'all' ? Math.floor((wave.length * DEAD_PERCENT_MAX) / 100) : 0;
  if (dead.length > deadMax) return `node ${namesOf(dead)} went down in wave '${phase}'`;
  if (waveMs < APPLY_MS) return undefined;
  const behind = inWave.filter(({ isSteady, hasApplied }) => isSteady && !hasApplied);
  return behind.length === 0
    ? undefined
    : `node ${namesOf(behind)} has not applied it after ${APPLY_MS / 1000} s`;
}

function namesOf(nodes: readonly RolloutNode[]): string {
  const names = nodes.map(({ name }) => name);
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and others`;
}

/** The nodes that have it go on having it; another one is the first for each version. */
function waveOf(
  { nodes: wave, version }: Rollout,
  nodes: readonly RolloutNode[],
  size: number,
): NodeId[] {
  const ids = nodes.map(({ id }) => id).sort();
  const first = version % ids.length;
  const others = [...ids.slice(first), ...ids.slice(0, first)].filter((id) => !wave.includes(id));
  return [...wave, ...others.slice(0, Math.max(0, Math.ceil(size) - wave.length))];
}

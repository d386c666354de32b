import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Rollout } from './config-document.ts';
import { nodeIdOfName } from './node-record.ts';
import { decideRollout, type RolloutNode } from './rollout.ts';

const NEW: Rollout = {
  ...{ document: 'main', version: 3, versionBefore: 2, phase: 'canary', isPaused: false },
  ...{ nodes: [], waveSinceMs: 0 },
};

function nodesOf(count: number): RolloutNode[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `n${index}`;
    return { id: nodeIdOfName(name), name, isSteady: true, hasApplied: true };
  });
}

/** Takes a step, if there is one. */
function next(rollout: Rollout, nodes: readonly RolloutNode[], waveMs: number): Rollout {
  const wave = nodes.filter(({ id }) => rollout.nodes.includes(id));
  const applied = wave.every(({ hasApplied }) => hasApplied) ? waveMs : undefined;
  const decision = decideRollout(rollout, nodes, waveMs, applied);
  if (decision.kind === 'wait') return rollout;
  const { kind: _kind, nodes: reached, ...rest } = decision;
  return { ...rollout, ...rest, nodes: [...reached] };
}

describe('a rollout', () => {
  it('goes from one node to a quarter to all, and no node loses the version on the way', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), (count) => {
        const nodes = nodesOf(count);
        let rollout = NEW;
        const sizes: number[] = [];
        while (rollout.phase !== 'done') {
          const before = rollout;
          rollout = next(rollout, nodes, 6000);
          expect(rollout).not.toEqual(before);
          expect(rollout.nodes).toEqual(expect.arrayContaining(before.nodes));
          if (rollout.phase !== 'done') sizes.push(rollout.nodes.length);
        }
        const quarter = Math.ceil(count / 4);
        expect(sizes).toEqual(count === 1 ? [1, 1] : [1, Math.max(1, quarter), count]);
      }),
    );
  });

  it('waits until a wave has been well for a while, and while it is paused', () => {
    const nodes = nodesOf(8);
    const canary = next(NEW, nodes, 0);
    expect(canary.nodes).toHaveLength(1);
    expect(next(canary, nodes, 4999)).toBe(canary);
    expect(next(canary, nodes, 5000).phase).toBe('quarter');
    const paused = { ...canary, isPaused: true };
    expect(next(paused, nodes, 1e9)).toBe(paused);
    const behind = nodes.map((node) => ({ ...node, hasApplied: false }));
    expect(next(canary, behind, 29_000)).toBe(canary);
  });

  it('is taken back where a node of the wave dies or does not take it, even while paused', () => {
    const nodes = nodesOf(8);
    const canary = { ...next(NEW, nodes, 0), isPaused: true };
    const isCanary = ({ id }: RolloutNode): boolean => canary.nodes.includes(id);
    const dead = nodes.map((node) => ({ ...node, isSteady: !isCanary(node) }));
    expect(next(canary, dead, 100)).toMatchObject({
      phase: 'rolled-back',
      nodes: [],
      error: expect.stringMatching(/^node n\d went down in wave 'canary'$/),
    });
    const deaf = nodes.map((node) => ({ ...node, hasApplied: !isCanary(node) }));
    expect(next(canary, deaf, 30_000)).toMatchObject({ phase: 'rolled-back' });
    const others = nodes.map((node) => ({ ...node, isSteady: isCanary(node) }));
    expect(next(canary, others, 100).phase).toBe('canary');
  });

  it('lets one of many nodes die in the last wave', () => {
    const nodes = nodesOf(20);
    const all: Rollout = { ...NEW, phase: 'all', nodes: nodes.map(({ id }) => id) };
    const without = (count: number): RolloutNode[] =>
      nodes.map((node, index) => ({ ...node, isSteady: index >= count }));
    expect(next(all, without(2), 6000).phase).toBe('done');
    expect(next(all, without(3), 6000).phase).toBe('rolled-back');
  });
});

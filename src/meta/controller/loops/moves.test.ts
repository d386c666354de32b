import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asShardId, planMoves, replicaSet, type NodeId } from '../../../cluster/index.ts';
import { CONTROLLER_RULES, type ControllerRules } from '../rules.ts';
import { MoveModel } from './moves-model.ts';

type Act = (model: MoveModel) => void;

const pick = fc.nat({ max: 11 });
const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Act>((model) => model.step('now')) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Act>(
      (model) => model.step('late'),
      (model) => model.step('never'),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Act>((model) => model.lateCommit()) },
  { weight: 1, arbitrary: fc.constant<Act>((model) => model.newLeader()) },
  {
    weight: 4,
    arbitrary: fc
      .integer({ min: 1, max: 900 })
      .map<Act>((ms) => (model) => (model.nowUs += ms * 1000)),
  },
  {
    weight: 8,
    arbitrary: fc.record({ at: pick, isLost: fc.boolean() }).map<Act>(
      ({ at, isLost }) =>
        (model) =>
          model.deliver(at, isLost && at % 3 === 0),
    ),
  },
  { weight: 6, arbitrary: pick.map<Act>((at) => (model) => model.tellMap(at)) },
  { weight: 8, arbitrary: pick.map<Act>((at) => (model) => model.heartbeat(at)) },
  {
    weight: 8,
    arbitrary: fc.tuple(pick, pick).map<Act>(
      ([at, shard]) =>
        (model) =>
          model.write(at, shard),
    ),
  },
  {
    weight: 10,
    arbitrary: fc.tuple(pick, pick).map<Act>(
      ([at, shard]) =>
        (model) =>
          model.follow(at, shard),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(pick, fc.boolean()).map<Act>(
      ([at, isPaused]) =>
        (model) =>
          model.change(at, { isPaused }),
    ),
  },
  {
    weight: 1,
    arbitrary: pick.map<Act>(
      (at) => (model) => model.change(at, { phase: 'aborted', error: 'by hand' }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(pick, fc.boolean()).map<Act>(
      ([at, isAlive]) =>
        (model) =>
          model.setAlive(at, isAlive),
    ),
  },
);

/** Everything once, in an order that gets on; but one node does not hear of the map. */
const roundWithout = (deaf: number) => (model: MoveModel) => {
  model.nowUs += 20_000;
  model.step('now');
  for (const [index, node] of model.nodes.entries()) {
    model.deliver(index, false);
    if (index !== deaf) model.tellMap(index);
    for (const { id } of node.map.shards) {
      if (model.nowUs % 3 === 0) model.follow(index, id);
      model.write(index, id);
    }
    model.heartbeat(index);
  }
};

const round: Act = roundWithout(-1);

const runs = fc.record({
  nodes: fc.integer({ min: 3, max: 5 }),
  shards: fc.integer({ min: 1, max: 4 }),
  replicas: fc.integer({ min: 0, max: 2 }),
  isDrain: fc.boolean(),
  /** All that is under way is given up in the end. */
  isGivenUp: fc.boolean(),
  acts: fc.array(
    fc.oneof(
      { weight: 2, arbitrary: acts },
      { weight: 1, arbitrary: fc.constant(round) },
      { weight: 1, arbitrary: fc.nat({ max: 4 }).map(roundWithout) },
    ),
    { maxLength: 200 },
  ),
});

function wanted(model: MoveModel, replicas: number): ReturnType<typeof planMoves>['moves'] {
  const { map, nodes } = model.state;
  return planMoves({ map, nodes: nodes.values(), replicas, scope: 'rebalance' }).moves;
}

function property(rules: ControllerRules): fc.IProperty<unknown> {
  return fc.property(runs, ({ nodes, shards, replicas, isDrain, isGivenUp, acts: drawn }) => {
    const model = new MoveModel({ nodes, shards, replicas, rules });
    if (isDrain) model.setState(0, 'draining');
    else model.begin(wanted(model, replicas));
    for (const act of drawn) act(model);
    for (const [index, { id }] of model.nodes.entries()) {
      if (model.state.nodes.get(id)?.state === 'draining') model.setState(index, 'up');
    }
    for (let index = 0; index < 8; index++) model.change(index, { isPaused: false });
    for (const _ of isGivenUp ? model.moves : []) model.change(0, { phase: 'aborted', error: '' });
    model.heal();
    expect(model.isAnythingFrozen).toBe(false);
    for (const shard of model.state.map.shards) {
      expect(shard.learners).toEqual([]);
      expect(replicaSet(shard).length).toBeGreaterThanOrEqual(Math.min(replicas + 1, nodes));
      expect(model.wholeCopies(shard)).toBe(replicaSet(shard).length);
    }
  });
}

describe('moves', () => {
  it('lose no write and no copy, end, and hold nothing back, whatever happens meanwhile', () => {
    fc.assert(property(CONTROLLER_RULES), { numRuns: 300 });
  });

  it('make of a map what the plan wants', () => {
    for (const replicas of [0, 1, 2]) {
      const model = new MoveModel({ nodes: 4, shards: 16, replicas, rules: CONTROLLER_RULES });
      model.begin(wanted(model, replicas));
      model.heal();
      expect(model.moves.every(({ phase }) => phase === 'done')).toBe(true);
      expect(wanted(model, replicas)).toEqual([]);
    }
  });

  it('empty a node that is drained, and give it nothing', () => {
    const model = new MoveModel({ nodes: 4, shards: 16, replicas: 1, rules: CONTROLLER_RULES });
    model.setState(0, 'draining');
    model.heal();
    const { id } = model.nodes[0];
    expect(model.state.map.shards.some((shard) => replicaSet(shard).includes(id))).toBe(false);
    expect(model.moves.every(({ reason }) => reason === 'drain' || reason === 'switch')).toBe(true);
  });

  it('copy to a node from one other at a time, and past one whose copies are paused', () => {
    const model = new MoveModel({ nodes: 4, shards: 9, replicas: 0, rules: CONTROLLER_RULES });
    const to = model.nodes[3].id;
    const shards = model.state.map.shards.filter(({ primary }) => primary !== to);
    model.begin(
      shards.map(({ id, primary: from }) => {
        return { shard: id, reason: 'rebalance', from, to, toPrimary: true };
      }),
    );
    const copying = (): ReadonlyMap<NodeId | null, number> => {
      const counts = new Map<NodeId | null, number>();
      for (const { phase, isPaused, from } of model.moves) {
        if (phase === 'copying' && !isPaused) counts.set(from, (counts.get(from) ?? 0) + 1);
      }
      return counts;
    };
    model.step('now');
    const first = copying();
    expect(first.size).toBe(1);
    const [source] = first.keys();
    expect(first.get(source)).toBe(shards.filter(({ primary }) => primary === source).length);
    for (const [at, move] of model.moves.entries()) {
      if (move.phase === 'copying') model.change(at, { isPaused: true });
    }
    model.step('now');
    expect(copying().size).toBe(1);
    expect(copying().has(source)).toBe(false);
    for (let at = 0; at < shards.length; at++) model.change(at, { isPaused: false });
    model.heal();
    expect(model.state.map.shards.every(({ primary }) => primary === to)).toBe(true);
  });

  it('change hands together, and before long without one that does not get there', () => {
    const model = new MoveModel({ nodes: 3, shards: 4, replicas: 0, rules: CONTROLLER_RULES });
    const [{ id: from }, , { id: to }] = model.nodes;
    const led = model.state.map.shards.filter(({ primary }) => primary === from);
    const [behind] = led;
    model.begin(
      led.map(({ id }) => ({ shard: id, reason: 'rebalance', from, to, toPrimary: true })),
    );
    while (!model.moves.every(({ phase }) => phase === 'switching')) round(model);
    const phases = (): Set<string> => new Set(model.moves.map(({ phase }) => phase));
    model.write(0, behind.id);
    model.step('now');
    for (const { id } of led) {
      model.deliver(0, false);
      if (id !== behind.id) model.follow(2, id);
    }
    model.heartbeat(2);
    for (const waitedUs of [0, 24_000]) {
      model.nowUs += waitedUs;
      model.step('now');
      expect(phases()).toEqual(new Set(['switching']));
    }
    model.nowUs += 2000;
    model.step('now');
    expect(phases()).toEqual(new Set(['switching', 'dropping']));
    model.heal();
    expect(phases()).toEqual(new Set(['done']));
  });

  it('drop nobody whom a primary still counts', () => {
    const model = new MoveModel({ nodes: 4, shards: 4, replicas: 1, rules: CONTROLLER_RULES });
    const [shard] = model.state.map.shards;
    const { id: to } = model.nodes[3];
    const [from] = shard.replicas;
    const planned = { shard: shard.id, reason: 'rebalance', from, to, toPrimary: false } as const;
    model.begin([planned]);
    const primary = model.nodes.findIndex(({ id }) => id === shard.primary);
    while (model.moves[0].phase !== 'dropping') roundWithout(primary)(model);
    const leaving = (): readonly string[] => model.state.map.shards[shard.id].learners;
    expect(leaving()).toEqual([from]);
    for (let turn = 0; turn < 1000; turn++) roundWithout(primary)(model);
    expect(leaving()).toEqual([from]);
    model.heal();
    expect(leaving()).toEqual([]);
    expect(model.moves[0].phase).toBe('done');
  });

  it('take what a node said of the copy it had before for nothing', () => {
    const model = new MoveModel({ nodes: 4, shards: 1, replicas: 1, rules: CONTROLLER_RULES });
    const [{ primary, replicas }] = model.state.map.shards;
    const own = model.nodes.findIndex(({ id }) => id === primary);
    const left = model.nodes.findIndex(({ id }) => id === replicas[0]);
    model.write(own, 0);
    model.follow(left, 0);
    model.heartbeat(left);
    // It leaves and comes back; of the two maps it hears, but is not heard.
    const roundUnheard = (): void => {
      model.nowUs += 20_000;
      model.step('now');
      for (const [index] of model.nodes.entries()) {
        model.deliver(index, false);
        model.tellMap(index);
        if (index === left) continue;
        model.follow(index, 0);
        model.heartbeat(index);
      }
    };
    const planned = { shard: asShardId(0), reason: 'rebalance', toPrimary: false } as const;
    model.begin([{ ...planned, from: model.nodes[left].id, to: model.nodes[3].id }]);
    while (model.moves[0].phase !== 'done') roundUnheard();
    model.begin([{ ...planned, from: primary, to: model.nodes[left].id, toPrimary: true }]);
    for (let turn = 0; turn < 50; turn++) roundUnheard();
    expect(model.moves[1].phase).toBe('copying');
    expect(model.state.map.shards[0].primary).toBe(primary);
    model.heal();
    expect(model.state.map.shards[0].primary).toBe(model.nodes[left].id);
  });

  /** Until the switch of the only shard is decided, and its commit is on the way. */
  function switching(): MoveModel {
    const model = new MoveModel({ nodes: 3, shards: 1, replicas: 1, rules: CONTROLLER_RULES });
    const [shard] = model.state.map.shards;
    const planned = { shard: shard.id, reason: 'switch', from: null, toPrimary: true } as const;
    model.begin([{ ...planned, to: shard.replicas[0] }]);
    while (model.moves[0].phase !== 'switching') round(model);
    return model;
  }

  it('do not switch when the commit comes after the move was aborted and writes went on', () => {
    const model = switching();
    for (let turn = 0; turn < 5; turn++) {
      model.nowUs += 10_000;
      model.step('late');
      for (const [index] of model.nodes.entries()) {
        model.deliver(index, false);
        model.follow(index, 0);
        model.heartbeat(index);
      }
    }
    expect(model.isAnythingFrozen).toBe(true);
    model.change(0, { phase: 'aborted', error: 'by hand' });
    while (model.isAnythingFrozen) round(model);
    for (const [index] of model.nodes.entries()) model.write(index, 0);
    const before = model.state.map;
    for (let turn = 0; turn < 9; turn++) model.lateCommit();
    expect(model.state.map).toEqual(before);
    model.heal();
  });

  it('let writes go on where the target does not get there, and try again', () => {
    const model = switching();
    const primary = model.state.map.shards[0].primary;
    const own = model.nodes.findIndex(({ id }) => id === primary);
    model.write(own, 0);
    model.step('now');
    model.deliver(own, false);
    model.heartbeat(own);
    expect(model.isAnythingFrozen).toBe(true);
    model.nowUs += 1_100_000;
    model.step('now');
    expect(model.moves[0].phase).toBe('copying');
    model.step('now');
    while (model.nodes[own].inbox.length > 0) model.deliver(own, false);
    expect(model.isAnythingFrozen).toBe(false);
    model.heal();
    expect(model.moves[0].phase).toBe('done');
  });

  it.each([
    ['a target becomes primary before it has all', { hasAll: () => true }],
    ['a learner becomes a replica before it has all', { mayJoin: () => true }],
  ])('are caught where %s', (_words, mistake) => {
    const { failed } = fc.check(property({ ...CONTROLLER_RULES, ...mistake }), { numRuns: 300 });
    expect(failed).toBe(true);
  });
});

import { describe, expect, test } from 'vitest';
import { asShardId, SLOT_COUNT } from '../../cluster/index.ts';
import { Engine } from '../../engine/index.ts';
import type { Runtime } from '../../runtime/index.ts';
import { CALM_NETWORK, Simulation } from '../../sim/index.ts';
import { ShardChores } from './shard-chores.ts';

const FULL = asShardId(0);
const EMPTY = asShardId(1);
const KEYS = 50;

/** One shard with records, and one without. */
class World {
  readonly #simulation = new Simulation({
    seed: 1,
    network: CALM_NETWORK,
  });
  chores: ShardChores | undefined;
  adopted = 0;
  onAdopt: (() => void) | undefined;

  constructor() {
    this.#simulation
      .addProcess({
        name: 'node',
        zone: 'z1',
        clock: { offsetUs: 0, driftPpm: 0, wallUs: 1_000_000 },
        timerLatenessUsMax: 0,
        decideDisk: () => ({ delayUs: 1 }),
        program: (runtime) => this.#begin(runtime),
      })
      .start();
    this.run(1);
  }

  #begin(runtime: Runtime): void {
    const engine = new Engine({ memoryBytes: 4 * 1024 ** 2, random: runtime.random });
    const domain = engine.addDomain(0, 'lru');
    for (let number = 0; number < KEYS; number++) {
      const key = Buffer.from(`key:${number}`);
      engine.set(domain, key, 0, key.length, key, 0, key.length, 0);
    }
    const spaces = { engine, all: () => [domain], numbered: () => domain, numberOf: () => 0 };
    this.chores = new ShardChores({
      ...{ runtime, spaces, walkBuckets: 1 },
      itemsOf: (shard) => (shard === FULL ? KEYS : 0),
      isPrimary: () => {
        this.adopted++;
        this.onAdopt?.();
        return true;
      },
      isMemoryShort: () => false,
    });
    this.chores.shardBySlot = new Int16Array(SLOT_COUNT);
  }

  run(milliseconds: number): void {
    const { queue } = this.#simulation;
    queue.runUntil(queue.nowUs + milliseconds * 1000);
  }
}

describe('clearing what is empty', () => {
  test('begins no walk for what nobody waits for', () => {
    const world = new World();
    world.chores?.begin(FULL, { kind: 'adopt' });
    world.run(1000);
    let isDone = false;
    world.chores?.begin(EMPTY, { kind: 'clear', done: () => (isDone = true) });
    world.run(1);
    expect({ isDone, adopted: world.adopted }).toEqual({ isDone: true, adopted: 0 });
    world.run(1000);
    expect(world.adopted).toBe(KEYS);
  });

  test('does not wait for the walk under way', () => {
    const world = new World();
    let adoptedBefore = 0;
    world.onAdopt = () => {
      if (world.adopted !== 1) return;
      const done = (): unknown => (adoptedBefore = world.adopted);
      world.chores?.begin(EMPTY, { kind: 'clear', done });
    };
    world.chores?.begin(FULL, { kind: 'adopt' });
    world.run(3000);
    expect(adoptedBefore).toBeGreaterThan(0);
    expect(adoptedBefore).toBeLessThan(KEYS / 2);
    expect(world.adopted).toBe(KEYS);
  });
});

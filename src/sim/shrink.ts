/**
 * Makes a failing scenario small: drops faults, calms the world, drops operations, narrows windows,
 * drops peers, again and again until nothing more can go.
 *
 * Only a failure of the same oracle counts, since a smaller scenario may fail for another reason.
 * Chance is keyed by ids, so what stays is hit by the same troubles as before. The time after the
 * last fault is cut last of all: a failure often needs time in which nothing happens.
 */
import { NEVER } from './keyed-random.ts';
import { runScenario, type RunResult } from './run.ts';
import type { Fault, Scenario } from './scenario.ts';
import type { World } from './world.ts';

export interface Shrunk {
  readonly scenario: Scenario;
  readonly result: RunResult;
  /** Runs that it took. */
  readonly runs: number;
}

export interface ShrinkOptions {
  /** Stops after so many runs with what it has. */
  readonly runsMax?: number;
  readonly onProgress?: (runs: number, scenario: Scenario) => void;
}

const RUNS_MAX_DEFAULT = 3000;

/**
 * @param failing a scenario that fails
 * @throws {Error} when it does not fail by `oracle`
 */
export function shrinkScenario(
  world: World,
  failing: Scenario,
  oracle: string,
  options: ShrinkOptions = {},
): Shrunk {
  return new Shrinker(world, failing, oracle, options).shrink();
}

class Shrinker {
  readonly #world: World;
  readonly #oracle: string;
  readonly #options: ShrinkOptions;
  #best: Scenario;
  #result: RunResult;
  #runs = 0;

  constructor(world: World, failing: Scenario, oracle: string, options: ShrinkOptions) {
    this.#world = world;
    this.#oracle = oracle;
    this.#options = options;
    this.#best = failing;
    this.#result = runScenario(world, failing);
    const found = this.#result.failure?.oracle;
    if (found !== oracle) {
      const instead = found === undefined ? 'it passes' : `it fails by ${found}`;
      throw new Error(`the scenario does not fail by ${oracle}: ${instead}`);
    }
  }

  shrink(): Shrunk {
    let before: Scenario | undefined;
    while (before !== this.#best && this.#hasBudget) {
      before = this.#best;
      this.#dropSome(
        (scenario) => scenario.faults,
        (scenario, faults) => ({ ...scenario, faults }),
      );
      this.#calm();
      this.#dropSome(
        (scenario) => scenario.operations,
        (scenario, operations) => ({ ...scenario, operations }),
      );
      this.#narrow();
      this.#dropPeers();
      if (before === this.#best) this.#shorten();
    }
    return { scenario: this.#best, result: this.#result, runs: this.#runs };
  }

  get #hasBudget(): boolean {
    return this.#runs < (this.#options.runsMax ?? RUNS_MAX_DEFAULT);
  }

  /** Takes the candidate if it fails in the same way. */
  #accepts(candidate: Scenario): boolean {
    if (!this.#hasBudget) return false;
    this.#runs += 1;
    const result = runScenario(this.#world, candidate);
    if (result.failure?.oracle !== this.#oracle) return false;
    this.#best = candidate;
    this.#result = result;
    this.#options.onProgress?.(this.#runs, candidate);
    return true;
  }

  /** Leaves out runs of items, long ones first, down to single ones. */
  #dropSome<T>(
    of: (scenario: Scenario) => readonly T[],
    withItems: (scenario: Scenario, items: readonly T[]) => Scenario,
  ): void {
    for (let size = of(this.#best).length; size >= 1; size = Math.floor(size / 2)) {
      let at = 0;
      while (at < of(this.#best).length) {
        const items = of(this.#best);
        const rest = [...items.slice(0, at), ...items.slice(at + size)];
        if (!this.#accepts(withItems(this.#best, rest))) at += size;
      }
    }
  }

  /** Takes away, one by one, what the world does by itself. */
  #calm(): void {
    const { network, disk, peers } = this.#best;
    for (const trouble of ['loss', 'reset', 'split', 'bitFlip', 'replay'] as const) {
      if (network[trouble][0] === 0) continue;
      this.#accepts({ ...this.#best, network: { ...this.#best.network, [trouble]: NEVER } });
    }
    if (disk.slow[0] > 0)
      this.#accepts({ ...this.#best, disk: { ...this.#best.disk, slow: NEVER } });
    if (peers.some((peer) => peer.driftPpm !== 0 || peer.timerLatenessUsMax !== 0)) {
      const calm = peers.map((peer) =>
        Object.assign({}, peer, { driftPpm: 0, timerLatenessUsMax: 0 }),
      );
      this.#accepts({ ...this.#best, peers: calm });
    }
  }

  /** Halves what lasts, fault by fault, as long as it goes. */
  #narrow(): void {
    for (let i = 0; i < this.#best.faults.length; i += 1) {
      for (const field of ['forMs', 'restartMs', 'effects', 'times', 'extraUs'] as const) {
        while (this.#hasBudget && this.#halve(i, field)) continue;
      }
    }
  }

  #halve(i: number, field: 'forMs' | 'restartMs' | 'effects' | 'times' | 'extraUs'): boolean {
    const fault = this.#best.faults[i];
    const value = numberIn(fault, field);
    const least = field === 'times' ? 1 : 0;
    if (value === undefined || value <= least) return false;
    const smaller: Fault = Object.assign({}, fault, { [field]: Math.max(least, value >> 1) });
    const faults = this.#best.faults.map((each, j) => (j === i ? smaller : each));
    return this.#accepts({ ...this.#best, faults });
  }

  #dropPeers(): void {
    for (const { name } of this.#best.peers) {
      const without = this.#world.withoutPeer(this.#best, name);
      if (without !== undefined)
        this.#accepts({ ...without, faults: faultsWithout(without, name) });
    }
  }

  #shorten(): void {
    const { timing } = this.#best;
    const neededMs = Math.ceil((this.#result.failure?.timeUs ?? 0) / 1000);
    if (neededMs < timing.faultsMs) {
      this.#accepts({ ...this.#best, timing: { ...timing, faultsMs: neededMs } });
    }
  }
}

function numberIn(fault: Fault, field: string): number | undefined {
  const value: unknown = Object.entries(fault).find(([name]) => name === field)?.[1];
  return typeof value === 'number' ? value : undefined;
}

/** What is left of the faults where a peer is not there any more. */
function faultsWithout(scenario: Scenario, name: string): Fault[] {
  return scenario.faults.flatMap((fault): Fault[] => {
    if ('links' in fault) {
      const links = fault.links.filter((link) => !link.split(/[>~]/).includes(name));
      return links.length === 0 ? [] : [{ ...fault, links }];
    }
    if ('peers' in fault) {
      const peers = fault.peers.filter((peer) => peer !== name);
      return peers.length === 0 ? [] : [{ ...fault, peers }];
    }
    return fault.peer === name ? [] : [fault];
  });
}

/**
 * What the worlds with Raft peers share: who leads, and a supervisor such as a machine has. A peer
 * that gives up is started again, unless its disk is past repair; once the world is healed, only
 * what is in the core that has to come right runs.
 */
import type { RaftCore } from '../raft/core.ts';
import { StorageError } from '../raft/index.ts';
import { InvariantError } from '../runtime/index.ts';
import type { SimProcess } from './process.ts';
import { OracleViolation, type Simulation } from './simulation.ts';

/** What it waits before it starts a peer again. */
const SUPERVISOR_US = 200_000;

export class Supervisor {
  isHealed = false;
  /** What has to come right. */
  core: readonly SimProcess[] = [];
  readonly #simulation: Simulation;
  readonly #world: string;
  readonly #lost = new Set<SimProcess>();

  /** @param world as its points are named */
  constructor(simulation: Simulation, world: string) {
    this.#simulation = simulation;
    this.#world = world;
  }

  /** All but those whose disk is past repair. */
  get usable(): SimProcess[] {
    return this.#simulation.processes.filter((process) => !this.isLost(process));
  }

  isLost(process: SimProcess): boolean {
    return this.#lost.has(process);
  }

  healed(core: readonly SimProcess[]): void {
    this.isHealed = true;
    this.core = core;
  }

  isWanted(process: SimProcess): boolean {
    return !this.isHealed || this.core.includes(process);
  }

  /**
   * A peer has given up.
   *
   * @throws {OracleViolation} where it did by a mistake of its own
   */
  gaveUp(process: SimProcess, error: Error): void {
    if (error instanceof InvariantError) {
      throw new OracleViolation('no-exception', `${process.name} stops: ${error.message}`);
    }
    this.#simulation.note(process, `stops: ${error.message}`);
    this.#simulation.reachable(`${this.#world}: a peer stops because of its disk`);
    if (error instanceof StorageError && error.code !== 'unusable' && error.code !== 'locked') {
      this.#lost.add(process);
    }
    process.kill();
    this.#simulation.schedule(SUPERVISOR_US, 'supervisor', () => {
      const mayStart = this.isWanted(process) && process.hasPower && !this.isLost(process);
      if (process.status === 'down' && mayStart) process.start();
    });
  }
}

/** Of those that take themselves for the leader, the one of the highest term. */
export function leaderAmong(
  running: ReadonlyMap<SimProcess, { readonly core: RaftCore | undefined }>,
): SimProcess | undefined {
  let leader: SimProcess | undefined;
  let term = 0;
  for (const [process, { core }] of running) {
    if (core?.role !== 'leader' || core.term <= term) continue;
    leader = process;
    term = core.term;
  }
  return leader;
}

/**
 * Work that nobody waits for, in turns of bounded size: each turn's budget goes to one job after the
 * other, beginning with another one each time, so that none has to wait for the others to be done.
 */

/** What a record that is found and removed counts for, in bytes of records that are looked at. */
export const WORK_BYTES_PER_RECORD = 128;

/** What a turn may look at: below a millisecond's work where nothing is in the CPU's cache. */
export const TURN_BYTES = 64 * 1024;

export interface HousekeepingJob {
  /** Does up to about so much work; returns how much it did: less, where no more was left. */
  run(budgetBytes: number): number;
  /** Whether there is work that should not wait. */
  readonly isBehind: boolean;
}

/**
 * `done`: nothing is left to do now. `more`: what is left may wait some milliseconds. `behind`:
 * records take up memory that should be free by now.
 */
export type HousekeepingState = 'done' | 'more' | 'behind';

export class Housekeeping {
  readonly #jobs: readonly HousekeepingJob[];
  #first = 0;

  constructor(jobs: readonly HousekeepingJob[]) {
    this.#jobs = jobs;
  }

  run(budgetBytes: number): HousekeepingState {
    const jobs = this.#jobs;
    this.#first = (this.#first + 1) % jobs.length;
    let left = budgetBytes;
    for (let turn = 0; turn < jobs.length && left > 0; turn++) {
      left -= jobs[(this.#first + turn) % jobs.length].run(left);
    }
    if (jobs.some((job) => job.isBehind)) return 'behind';
    return left > 0 ? 'done' : 'more';
  }
}

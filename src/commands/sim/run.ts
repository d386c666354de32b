import { writeFileSync } from 'node:fs';
import { Args, Flags } from '@oclif/core';
import { BaseCommand, outputFlags } from '../frame/base-command.ts';
import { countFlag, durationFlag } from '../frame/flags.ts';

/** A campaign that is bounded by time has so many seeds at most. */
const SEEDS_UNBOUNDED = Number.MAX_SAFE_INTEGER / 2;

export default class SimRun extends BaseCommand {
  static override summary = 'Simulate a world or a scenario file, one seed after another.';
  static override description =
    'A run is a function of its seed: the same seed finds the same failure, on any machine. ' +
    'Without a number of seeds and a time, one seed is run. A failure is written to a file that ' +
    'sim replay and sim shrink read, and ends the command with exit code 1.';
  static override examples = [
    '<%= config.bin %> sim run raft --seed 42',
    '<%= config.bin %> sim run raft --seeds 5000 --jobs 2',
    '<%= config.bin %> sim run raft --for 60s --junit sim.xml',
    '<%= config.bin %> sim run scenarios/leader-cut-off.yaml --seeds 100',
  ];
  static override strict = false;
  static override args = {
    target: Args.string({
      description: 'Worlds (see sim list), or scenario files.',
      required: true,
    }),
  };
  static override flags = {
    seed: countFlag({ min: 0 })({ summary: 'The first seed.', default: 1 }),
    seeds: countFlag({ min: 1 })({ summary: 'How many seeds.' }),
    for: durationFlag({ min: 1 })({ summary: 'Goes on for this long.' }),
    jobs: countFlag({ min: 1, max: 256 })({ summary: 'Threads to run seeds on.', default: 1 }),
    failures: Flags.string({ summary: 'Where to write failures.', default: '.' }),
    junit: Flags.string({ summary: 'Also writes the outcome to this JUnit file.' }),
    'require-points': Flags.boolean({
      summary: 'Fails unless every situation that the world declares was reached.',
    }),
    ...outputFlags,
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(SimRun);
    const { simulateTargets } = await import('../frame/simulation.ts');
    const controller = new AbortController();
    process.once('SIGINT', () => controller.abort());
    const outcome = await simulateTargets({
      targets: argv.map(String),
      seed: flags.seed,
      seeds: flags.seeds ?? (flags.for === undefined ? 1 : SEEDS_UNBOUNDED),
      milliseconds: flags.for ?? Infinity,
      jobs: flags.jobs,
      failuresDirectory: flags.failures,
      version: this.config.version,
      requiresPoints: flags['require-points'],
      isSeedGiven: this.argv.some((word) => word === '--seed' || word.startsWith('--seed=')),
      signal: controller.signal,
      say: (words) => this.say(words),
    });
    if (flags.junit !== undefined) writeFileSync(flags.junit, outcome.junit);
    await this.print(outcome.report);
    if (outcome.hasFailed) this.exit(1);
  }
}

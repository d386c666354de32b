import { Args, Flags } from '@oclif/core';
import { BaseCommand, outputFlags } from '../frame/base-command.ts';
import { countFlag } from '../frame/flags.ts';

export default class SimShrink extends BaseCommand {
  static override summary = 'Make a failing scenario as small as it goes.';
  static override description =
    'Drops faults, operations and peers and narrows windows as long as the same oracle is ' +
    'violated, and writes the smallest scenario found as a new failure file.';
  static override examples = [
    '<%= config.bin %> sim shrink failure-election-safety-1a2b3c4d.json',
    '<%= config.bin %> sim shrink FILE --out scenarios/regressions',
  ];
  static override args = { file: Args.string({ description: 'A failure file.', required: true }) };
  static override flags = {
    out: Flags.string({ summary: 'The directory to write to.', default: '.' }),
    runs: countFlag({ min: 1 })({ summary: 'Stops after so many runs.', default: 3000 }),
    ...outputFlags,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(SimShrink);
    const { orUsageError } = await import('../frame/simulation.ts');
    const { reportFailure, shrinkScenario } = await import('../../sim/index.ts');
    const { readFailure, writeFailure } = await import('../../sim/host/index.ts');
    const { failure, world } = orUsageError(() => readFailure(args.file));
    const before = failure.scenario;
    const { scenario, result, runs } = shrinkScenario(world, before, failure.oracle, {
      runsMax: flags.runs,
      onProgress: (done, { faults, operations, peers }) => {
        const left = `${faults.length} faults, ${operations.length} operations, ${peers.length} peers`;
        if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${done} runs: ${left}`);
      },
    });
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
    const file = writeFailure(flags.out, scenario, result, this.config.version);
    await this.print({
      kind: 'ShrunkFailure',
      data: { file, runs, before: sizeOf(before), after: sizeOf(scenario), oracle: failure.oracle },
      view: `${reportFailure(scenario, result, { replay: `cachectl sim replay ${file}` })}\n${runs} runs`,
      names: [file],
    });
  }
}

function sizeOf(scenario: {
  readonly faults: readonly unknown[];
  readonly operations: readonly unknown[];
  readonly peers: readonly unknown[];
}) {
  const { faults, operations, peers } = scenario;
  return { faults: faults.length, operations: operations.length, peers: peers.length };
}

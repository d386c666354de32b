import { readFileSync, writeFileSync } from 'node:fs';
import { Args, Flags } from '@oclif/core';
import { BaseCommand, outputFlags } from '../frame/base-command.ts';
import { countFlag } from '../frame/flags.ts';

export default class SimReplay extends BaseCommand {
  static override summary = 'Run a failure again, and say whether it is the same run.';
  static override description =
    'Exit code 0: the failure is there again, event by event. Exit code 1: the run passes, or ' +
    'fails otherwise. To find where two machines part, save the draws on one of them and compare ' +
    'on the other.';
  static override examples = [
    '<%= config.bin %> sim replay failure-election-safety-1a2b3c4d.json',
    '<%= config.bin %> sim replay FILE --transitions 200',
    '<%= config.bin %> sim replay FILE --save-draws draws.bin',
    '<%= config.bin %> sim replay FILE --compare-draws draws.bin',
  ];
  static override args = { file: Args.string({ description: 'A failure file.', required: true }) };
  static override flags = {
    transitions: countFlag({ min: 1, max: 200 })({
      summary: 'How many of the last transitions to show.',
      default: 40,
    }),
    'save-draws': Flags.string({ summary: 'Writes the hash after each step of the run here.' }),
    'compare-draws': Flags.string({
      summary: 'Stops at the first step that differs from those in this file.',
    }),
    ...outputFlags,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(SimReplay);
    const { orUsageError } = await import('../frame/simulation.ts');
    const { reportFailure, runScenario } = await import('../../sim/index.ts');
    const { readFailure } = await import('../../sim/host/index.ts');
    const { failure, world } = orUsageError(() => readFailure(args.file));
    const compared = flags['compare-draws'];
    const result = runScenario(world, failure.scenario, {
      record: flags['save-draws'] !== undefined,
      ...(compared === undefined ? {} : { against: readDraws(compared) }),
    });
    if (flags['save-draws'] !== undefined) {
      writeFileSync(flags['save-draws'], new Uint8Array(result.drawLog.buffer));
    }
    const isSame = result.traceHash === failure.traceHash;
    const found = result.failure?.oracle;
    const replay = `cachectl sim replay ${args.file}`;
    await this.print({
      kind: 'Replay',
      data: { file: args.file, isSameRun: isSame, expected: failure.oracle, ...result.failure },
      view:
        result.failure === undefined
          ? `The run passes: ${failure.oracle} is not violated any more (trace ${result.traceHash}).`
          : reportFailure(failure.scenario, result, { replay, transitions: flags.transitions }),
      names: found === undefined ? [] : [found],
    });
    if (!isSame) {
      const { commit } = failure.versions;
      this.warn(`not the run of the file: its trace was ${failure.traceHash}, at commit ${commit}`);
    }
    if (found !== failure.oracle) this.exit(1);
  }
}

function readDraws(path: string): Uint32Array {
  const bytes = readFileSync(path);
  return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

import { Args } from '@oclif/core';
import { AdminCommand, adminFlags } from './admin-command.ts';
import { rolloutReport } from './admin-views.ts';
import { guardOf, revisionFlag } from './guard.ts';

/** What the commands share that change how a rollout goes on. */
export abstract class RolloutCommand extends AdminCommand {
  static override args = {
    document: Args.string({
      description: 'The config document.',
      required: true,
      ignoreStdin: true,
    }),
  };
  static override flags = { 'if-revision': revisionFlag, ...adminFlags };
  protected abstract readonly operation: 'rollout.pause' | 'rollout.resume' | 'rollout.rollback';

  async run(): Promise<void> {
    const { args, flags } = await this.parse(RolloutCommand);
    const input = { document: args.document, ...guardOf(flags) };
    const { rollout } = await this.ask(flags, this.operation, input);
    await this.print(rolloutReport([rollout]));
  }
}

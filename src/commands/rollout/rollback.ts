import { Args } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { guardOf, revisionFlag } from '../frame/guard.ts';
import { rolloutReport } from '../frame/admin-views.ts';

export default class RolloutRollback extends AdminCommand {
  static override summary = 'Give all nodes the version before again.';
  static override examples = ['<%= config.bin %> rollout rollback limits'];
  static override args = {
    document: Args.string({
      description: 'The config document.',
      required: true,
      ignoreStdin: true,
    }),
  };
  static override flags = { 'if-revision': revisionFlag, ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(RolloutRollback);
    const input = { document: args.document, ...guardOf(flags) };
    const { rollout } = await this.ask(flags, 'rollout.rollback', input);
    await this.print(rolloutReport([rollout]));
  }
}

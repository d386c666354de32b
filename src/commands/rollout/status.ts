import { Args } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { rolloutReport } from '../frame/admin-views.ts';

export default class RolloutStatus extends AdminCommand {
  static override summary = 'Show how far the rollouts of config documents are.';
  static override examples = [
    '<%= config.bin %> rollout status',
    '<%= config.bin %> rollout status limits',
  ];
  static override args = {
    document: Args.string({
      description: 'The config document; all of them, where none is named.',
      required: false,
      ignoreStdin: true,
    }),
  };
  static override flags = { ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(RolloutStatus);
    const { document } = args;
    const input = document === undefined ? {} : { document };
    const { rollouts } = await this.ask(flags, 'rollout.status', input);
    await this.print(rolloutReport(rollouts));
  }
}

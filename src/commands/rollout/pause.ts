import { Args } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { guardOf, revisionFlag } from '../frame/guard.ts';
import { rolloutReport } from '../frame/admin-views.ts';

export default class RolloutPause extends AdminCommand {
  static override summary = 'Begin no further wave of a rollout.';
  static override examples = ['<%= config.bin %> rollout pause limits'];
  static override args = {
    document: Args.string({
      description: 'The config document.',
      required: true,
      ignoreStdin: true,
    }),
  };
  static override flags = { 'if-revision': revisionFlag, ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(RolloutPause);
    const input = { document: args.document, ...guardOf(flags) };
    const { rollout } = await this.ask(flags, 'rollout.pause', input);
    await this.print(rolloutReport([rollout]));
  }
}

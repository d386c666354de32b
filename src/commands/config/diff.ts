import { Args } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { changesInWords } from '../frame/admin-views.ts';
import { countFlag } from '../frame/flags.ts';

export default class ConfigDiff extends AdminCommand {
  static override summary = 'Show what changed between two versions of a config document.';
  static override examples = [
    '<%= config.bin %> config diff limits',
    '<%= config.bin %> config diff limits --from 2 --to 5',
  ];
  static override args = {
    name: Args.string({ description: 'Its name.', required: true, ignoreStdin: true }),
  };
  static override flags = {
    from: countFlag({ min: 0 })({
      summary: 'The older version; the one before --to, where none is given.',
    }),
    to: countFlag({ min: 1 })({ summary: 'The newer version; the newest, where none is given.' }),
    ...adminFlags,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ConfigDiff);
    const from = flags.from === undefined ? {} : { from: flags.from };
    const to = flags.to === undefined ? {} : { to: flags.to };
    const diff = await this.ask(flags, 'config.diff', { name: args.name, ...from, ...to });
    const view = changesInWords(diff.changes);
    await this.print({ kind: 'ConfigDiff', data: diff, view, names: [diff.name] });
  }
}

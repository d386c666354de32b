import { Flags } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { moveReport } from '../frame/admin-views.ts';

export default class MoveList extends AdminCommand {
  static override summary = 'Show the moves under way.';
  static override examples = ['<%= config.bin %> move list', '<%= config.bin %> move list --all'];
  static override flags = {
    all: Flags.boolean({ summary: 'Those that are over as well.' }),
    ...adminFlags,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(MoveList);
    const { moves } = await this.ask(flags, 'move.list', { all: flags.all });
    await this.print(moveReport(moves));
  }
}

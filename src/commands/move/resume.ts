import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { moveReport } from '../frame/admin-views.ts';
import { moveArgument } from '../frame/arguments.ts';

export default class MoveResume extends AdminCommand {
  static override summary = 'Let a paused move go on.';
  static override examples = ['<%= config.bin %> move resume 12'];
  static override args = { move: moveArgument({ description: 'Its number.', required: true }) };
  static override flags = { ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(MoveResume);
    const { moves } = await this.ask(flags, 'move.resume', { move: args.move });
    await this.print(moveReport(moves));
  }
}

import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { moveReport } from '../frame/admin-views.ts';
import { moveArgument } from '../frame/arguments.ts';

export default class MovePause extends AdminCommand {
  static override summary = 'Hold a move where it is.';
  static override examples = ['<%= config.bin %> move pause 12'];
  static override args = { move: moveArgument({ description: 'Its number.', required: true }) };
  static override flags = { ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(MovePause);
    const { moves } = await this.ask(flags, 'move.pause', { move: args.move });
    await this.print(moveReport(moves));
  }
}

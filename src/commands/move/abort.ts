import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { moveReport } from '../frame/admin-views.ts';
import { moveArgument } from '../frame/arguments.ts';

export default class MoveAbort extends AdminCommand {
  static override summary = 'Give a move up, and leave the shard as it was.';
  static override examples = ['<%= config.bin %> move abort 12'];
  static override args = { move: moveArgument({ description: 'Its number.', required: true }) };
  static override flags = { ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(MoveAbort);
    const { moves } = await this.ask(flags, 'move.abort', { move: args.move });
    await this.print(moveReport(moves));
  }
}

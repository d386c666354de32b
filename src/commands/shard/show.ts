import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { copiesReport } from '../frame/admin-views.ts';
import { shardArgument } from '../frame/arguments.ts';

export default class ShardShow extends AdminCommand {
  static override summary = 'Show a shard: who holds it, and how far each copy is.';
  static override examples = ['<%= config.bin %> shard show 7'];
  static override args = { shard: shardArgument({ description: 'Its number.', required: true }) };
  static override flags = { ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ShardShow);
    const shown = await this.ask(flags, 'shard.show', { shard: args.shard });
    await this.print(copiesReport(shown.shard, shown));
  }
}

import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { shardReport } from '../frame/admin-views.ts';

export default class ShardList extends AdminCommand {
  static override summary = 'Show the shards: their slots, and who holds them.';
  static override examples = [
    '<%= config.bin %> shard list',
    '<%= config.bin %> shard list -o wide',
  ];
  static override flags = { ...adminFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(ShardList);
    const { shards } = await this.ask(flags, 'shard.list', {});
    await this.print(shardReport(shards));
  }
}

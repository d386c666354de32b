import { Args } from '@oclif/core';
import { BaseCommand, outputFlags } from '../frame/base-command.ts';
import { callSettings, noKey, readCallSettings, withCache } from '../frame/data-client.ts';
import { flagsOf } from '../frame/settings.ts';

export default class KvDel extends BaseCommand {
  static override summary = 'Delete a key.';
  static override description = 'Exits with 3 where the key is missing.';
  static override examples = ['<%= config.bin %> kv del greeting'];
  static override args = {
    key: Args.string({ description: 'The key, in UTF-8.', required: true, ignoreStdin: true }),
  };
  static override flags = { ...flagsOf(callSettings), ...outputFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(KvDel);
    const { key } = args;
    const wasThere = await withCache(readCallSettings(flags), (cache) => cache.delete(key));
    if (!wasThere) throw noKey(key);
    await this.print({ kind: 'KvDeleted', data: { key }, view: 'deleted', names: [key] });
  }
}

import { Args } from '@oclif/core';
import { BaseCommand, outputFlags } from '../frame/base-command.ts';
import { callSettings, readCallSettings, withCache } from '../frame/data-client.ts';
import { countFlag } from '../frame/flags.ts';
import { flagsOf } from '../frame/settings.ts';

export default class KvIncr extends BaseCommand {
  static override summary = 'Add to the whole number in a key, and print the sum.';
  static override description = 'A missing key counts as 0, and is created without an end.';
  static override examples = [
    '<%= config.bin %> kv incr visits',
    '<%= config.bin %> kv incr stock --by=-3',
  ];
  static override args = {
    key: Args.string({ description: 'The key, in UTF-8.', required: true, ignoreStdin: true }),
  };
  static override flags = {
    by: countFlag({ min: -Infinity })({
      summary: 'What is added; --by=-1 takes one away.',
      default: 1,
    }),
    ...flagsOf(callSettings),
    ...outputFlags,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(KvIncr);
    const { key } = args;
    const { by } = flags;
    const value = await withCache(readCallSettings(flags), (cache) => cache.incr(key, { by }));
    await this.print({ kind: 'KvCounter', data: { key, value }, view: `${value}`, names: [key] });
  }
}

import { Args } from '@oclif/core';
import { formatDuration } from '../../cluster/index.ts';
import { BaseCommand, outputFlags } from '../frame/base-command.ts';
import { callSettings, noKey, readCallSettings, withCache } from '../frame/data-client.ts';
import { flagsOf } from '../frame/settings.ts';

export default class KvTtl extends BaseCommand {
  static override summary = 'Print how long a key has left.';
  static override description =
    "Prints a duration such as 599s or 1250ms, or 'never' for a key without an end, which is " +
    'null in JSON. Exits with 3 where the key is missing.';
  static override examples = ['<%= config.bin %> kv ttl session:42'];
  static override args = {
    key: Args.string({ description: 'The key, in UTF-8.', required: true, ignoreStdin: true }),
  };
  static override flags = { ...flagsOf(callSettings), ...outputFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(KvTtl);
    const { key } = args;
    const ttlMs = await withCache(readCallSettings(flags), (cache) => cache.ttl(key));
    if (ttlMs === undefined) throw noKey(key);
    await this.print({
      kind: 'KvTtl',
      data: { key, ttlMs: ttlMs === Infinity ? null : ttlMs },
      view: ttlMs === Infinity ? 'never' : formatDuration(inWords(ttlMs)),
      names: [key],
    });
  }
}

/** Nobody reads milliseconds where there are many seconds. */
function inWords(ttlMs: number): number {
  return ttlMs < 10_000 ? ttlMs : Math.floor(ttlMs / 1000) * 1000;
}

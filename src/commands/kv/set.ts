import { buffer } from 'node:stream/consumers';
import { Args, Flags } from '@oclif/core';
import { CachectlError } from '../../cluster/index.ts';
import type { SetOptions } from '../../sdk/index.ts';
import { BaseCommand, outputFlags } from '../frame/base-command.ts';
import { callSettings, noKey, readCallSettings, withCache } from '../frame/data-client.ts';
import { durationFlag } from '../frame/flags.ts';
import { flagsOf } from '../frame/settings.ts';

export default class KvSet extends BaseCommand {
  static override summary = 'Set a key to a value.';
  static override description =
    'Exits with 6 where --nx finds the key, and with 3 where --xx does not.';
  static override examples = [
    '<%= config.bin %> kv set greeting hello',
    '<%= config.bin %> kv set session:42 active --ttl 10m',
    '<%= config.bin %> kv set photo - < photo.jpg',
    '<%= config.bin %> kv set lock me --nx --ttl 30s',
  ];
  static override args = {
    key: Args.string({ description: 'The key, in UTF-8.', required: true, ignoreStdin: true }),
    value: Args.string({
      description: 'The value, in UTF-8; - reads its bytes from stdin.',
      required: true,
      ignoreStdin: true,
    }),
  };
  static override flags = {
    ttl: durationFlag({ min: 1 })({ summary: 'The key is gone after this. Without: never.' }),
    nx: Flags.boolean({ summary: 'Only where the key is missing.', exclusive: ['xx'] }),
    xx: Flags.boolean({ summary: 'Only where the key is there.' }),
    ...flagsOf(callSettings),
    ...outputFlags,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(KvSet);
    const { key } = args;
    const settings = readCallSettings(flags);
    const value = args.value === '-' ? await buffer(process.stdin) : Buffer.from(args.value);
    const options: SetOptions = {
      ...(flags.ttl === undefined ? {} : { ttl: flags.ttl }),
      ...(flags.nx ? { onlyIf: 'absent' } : flags.xx ? { onlyIf: 'present' } : {}),
    };
    const isStored = await withCache(settings, (cache) => cache.set(key, value, options));
    if (!isStored && flags.xx) throw noKey(key);
    if (!isStored)
      throw new CachectlError('ERR_CACHECTL_CONFLICT', `key '${key}' is there already`);
    await this.print({
      kind: 'KvStored',
      data: { key, bytes: value.length, ttlMs: flags.ttl ?? null },
      view: 'stored',
      names: [key],
    });
  }
}

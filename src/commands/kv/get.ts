import { Args } from '@oclif/core';
import { BaseCommand, outputFlags } from '../frame/base-command.ts';
import { callSettings, noKey, readCallSettings, withCache } from '../frame/data-client.ts';
import { flagsOf } from '../frame/settings.ts';

export default class KvGet extends BaseCommand {
  static override summary = 'Print the value of a key.';
  static override description =
    'Without -o the bytes of the value go to stdout as they are, with a line end only on a ' +
    'terminal. In JSON and YAML a value that is not text is in base64. Exits with 3 where the ' +
    'key is missing.';
  static override examples = [
    '<%= config.bin %> kv get greeting',
    '<%= config.bin %> kv get photo > photo.jpg',
    '<%= config.bin %> kv get greeting --json',
  ];
  static override args = {
    key: Args.string({ description: 'The key, in UTF-8.', required: true, ignoreStdin: true }),
  };
  static override flags = { ...flagsOf(callSettings), ...outputFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(KvGet);
    const { key } = args;
    const value = await withCache(readCallSettings(flags), (cache) => cache.get(key));
    if (value === undefined) throw noKey(key);
    const asBytes = !flags.json && (flags.output === 'table' || flags.output === 'wide');
    if (asBytes) {
      process.stdout.write(value);
      if (process.stdout.isTTY) process.stdout.write('\n');
      return;
    }
    const text = textOf(value);
    await this.print({
      kind: 'KvValue',
      data: {
        key,
        value: text ?? Buffer.from(value).toString('base64'),
        encoding: text === undefined ? 'base64' : 'utf8',
        bytes: value.length,
      },
      view: '',
      names: [key],
    });
  }
}

/** Undefined where the bytes are not UTF-8. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

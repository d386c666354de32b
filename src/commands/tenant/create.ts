import { Args } from '@oclif/core';
import { CachectlError } from '../../cluster/errors.ts';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { canPrompt } from '../frame/confirm.ts';
import { askForSettings, settingsOf, tenantFlags } from '../frame/tenant-flags.ts';

export default class TenantCreate extends AdminCommand {
  static override summary = 'Create a tenant, with its default namespace and a secret.';
  static override description =
    'The secret is shown this once: only its hash is kept. On a terminal, what is not given is asked for.';
  static override examples = [
    '<%= config.bin %> tenant create shop --max-memory 64mb --max-qps 5000 --policy lfu --replicas 2',
    '<%= config.bin %> tenant create shop --json | jq -r .data.secret',
  ];
  static override args = {
    name: Args.string({ description: 'Its name.', ignoreStdin: true }),
  };
  static override flags = { ...tenantFlags, ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(TenantCreate);
    const name = args.name ?? (await askForName());
    const isAsked = args.name === undefined;
    const settings = settingsOf(isAsked ? await askForSettings(flags) : flags);
    const done = await this.ask(flags, 'tenant.create', { name, ...settings });
    await this.print({
      kind: 'TenantCreated',
      data: done,
      view: `name    ${name}\nsecret  ${done.secret}`,
      names: [name],
    });
    this.say(`\nThe secret is shown this once. Clients log in with: AUTH ${name} SECRET`);
  }
}

async function askForName(): Promise<string> {
  if (!canPrompt()) {
    const hint = 'See: cachectl tenant create --help';
    throw new CachectlError('ERR_CACHECTL_USAGE', 'NAME is missing', { hint });
  }
  const { input } = await import('@inquirer/prompts');
  const validate = (text: string) =>
    /^[a-z0-9][a-z0-9_-]{0,62}$/.test(text) ||
    '1 to 63 of a to z, 0 to 9, - and _, beginning with a letter or a digit';
  return input({ message: 'Name of the tenant:', validate }, { output: process.stderr });
}

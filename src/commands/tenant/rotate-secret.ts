import { Args } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { guardOf, revisionFlag } from '../frame/guard.ts';
import { confirmOrRefuse, yesFlag } from '../frame/confirm.ts';

export default class TenantRotateSecret extends AdminCommand {
  static override summary = 'Give a tenant a new secret; the old one is refused from then on.';
  static override examples = ['<%= config.bin %> tenant rotate-secret shop --yes'];
  static override args = {
    name: Args.string({ description: 'Its name.', required: true, ignoreStdin: true }),
  };
  static override flags = { 'if-revision': revisionFlag, yes: yesFlag, ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(TenantRotateSecret);
    const { name } = args;
    await confirmOrRefuse(
      `Clients with the old secret of '${name}' will be refused. Go on?`,
      flags,
    );
    const done = await this.ask(flags, 'tenant.rotate-secret', { name, ...guardOf(flags) });
    await this.print({
      kind: 'TenantSecret',
      data: done,
      view: done.secret,
      names: [name],
    });
    this.say('It is shown this once.');
  }
}

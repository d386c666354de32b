import { Flags } from '@oclif/core';
import { CachectlError } from '../../cluster/index.ts';
import { BaseCommand } from '../frame/base-command.ts';
import { address } from '../frame/kinds.ts';
import { metaSettings } from '../frame/meta-settings.ts';
import { flagsOf, readSettings } from '../frame/settings.ts';
import { untilStopped } from '../frame/until-stopped.ts';

export default class MetaStart extends BaseCommand {
  static override summary = 'Start a metadata peer: one of the few that keep what the cluster is.';
  static override description =
    'Three or five peers form a group that goes on while a majority of them runs. Each keeps its ' +
    'data in a directory of its own, and is started with the same --peers. Serves until SIGINT or ' +
    'SIGTERM, then hands leadership over and stops. Each setting can be given as a flag, as an ' +
    'environment variable, or by the name of its flag in the YAML file that --config names.';
  static override examples = [
    '<%= config.bin %> meta start --name m1 --listen 127.0.0.1:7500 --data-dir m1 --peers m1=127.0.0.1:7500,m2=127.0.0.1:7501,m3=127.0.0.1:7502',
    'CACHECTL_ADMIN_TOKEN=… <%= config.bin %> meta start --config /etc/cachectl/meta.yaml',
  ];
  static override flags = {
    config: Flags.string({ summary: 'A YAML file of settings, such as `name: m1`.' }),
    ...flagsOf(metaSettings),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(MetaStart);
    const file = flags.config;
    const values = readSettings(metaSettings, { flags, environment: process.env, file });
    const directory = values['data-dir'];
    if (directory === undefined) {
      const hint = 'Give --data-dir: what the peer keeps there must outlive the process.';
      throw new CachectlError('ERR_CACHECTL_USAGE', '--data-dir is missing', { hint });
    }
    const { metaOptionsOf, runHttp, runMeta } = await import('../frame/running-meta.ts');
    const options = metaOptionsOf(values);
    const { http, 'admin-token': token } = values;
    const meta = await runMeta(options, directory, {
      level: values['log-level'] ?? metaSettings['log-level'].default,
      ...(values['log-format'] === undefined ? {} : { format: values['log-format'] }),
    });
    const { version } = this.config;
    const { peer, failed, stop } =
      http === undefined ? meta : await runHttp(meta, { listen: http, token, version });
    const served = http === undefined ? '' : `, and HTTP at ${address.format(http)}`;
    process.stdout.write(
      `meta peer ${peer.name} serves ${address.format(peer.address)}${served}\n`,
    );
    await Promise.race([untilStopped(), failed]);
    peer.runtime.log.write('info', 'stopping');
    await stop();
    peer.runtime.log.write('info', 'stopped');
    this.exit(0);
  }
}

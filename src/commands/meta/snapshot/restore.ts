import { Args } from '@oclif/core';
import { CachectlError } from '../../../cluster/errors.ts';
import { BaseCommand, outputFlags } from '../../frame/base-command.ts';
import { metaSettings } from '../../frame/meta-settings.ts';
import { flagsOf, readSettings } from '../../frame/settings.ts';

const { name, peers, cluster, 'data-dir': dataDir } = metaSettings;
const settings = { name, peers, cluster, 'data-dir': dataDir };

export default class MetaSnapshotRestore extends BaseCommand {
  static override summary = 'Make the data of a meta peer of a new cluster from a snapshot.';
  static override description =
    'Asks nobody: do it for each peer of the new cluster, with the same file and the same --peers, ' +
    'each into an empty directory; then start them with the same flags. Peers of the old cluster ' +
    'must not run any more. Nodes register by themselves; what they hold stays.';
  static override examples = [
    '<%= config.bin %> meta snapshot restore cluster.snapshot --name m1 --peers m1=10.0.0.1:7500,m2=10.0.0.2:7500,m3=10.0.0.3:7500 --data-dir /var/lib/cachectl/m1',
  ];
  static override args = {
    file: Args.string({ description: 'The snapshot.', required: true, ignoreStdin: true }),
  };
  static override flags = { ...flagsOf(settings), ...outputFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(MetaSnapshotRestore);
    const sources = { flags, environment: process.env, file: undefined };
    const values = readSettings(settings, sources);
    const { peers: all, 'data-dir': directory } = values;
    if (all === undefined || directory === undefined) {
      const missing = all === undefined ? '--peers' : '--data-dir';
      throw new CachectlError('ERR_CACHECTL_USAGE', `${missing} is missing`, {
        hint: 'See: cachectl meta snapshot restore --help',
      });
    }
    const own = values.name ?? name.default;
    if (!all.has(own)) {
      const words = `--name is '${own}', and --peers names ${[...all.keys()].join(', ')}`;
      throw new CachectlError('ERR_CACHECTL_USAGE', words);
    }
    const { readSnapshot } = await import('../../frame/snapshot-files.ts');
    const { restoreInto } = await import('../../frame/running-meta.ts');
    const snapshot = readSnapshot(args.file);
    await restoreInto(
      directory,
      { cluster: values.cluster ?? cluster.default, peers: all },
      snapshot,
    );
    const { entryCount, revision } = snapshot.head;
    await this.print({
      kind: 'MetaSnapshotRestored',
      data: { name: own, directory, entryCount, revision },
      view: `Restored ${entryCount} records into ${directory}.`,
      names: [own],
    });
    this.say(
      '\nRestore the other peers in the same way, then start all of them: cachectl meta start',
    );
  }
}

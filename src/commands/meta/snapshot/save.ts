import { Args } from '@oclif/core';
import { clock } from '../../../runtime/node/clock.ts';
import { AdminCommand, adminFlags } from '../../frame/admin-command.ts';

export default class MetaSnapshotSave extends AdminCommand {
  static override summary = 'Save all metadata, at one revision, to a file.';
  static override examples = ['<%= config.bin %> meta snapshot save cluster.snapshot'];
  static override args = {
    file: Args.string({ description: 'Where to.', required: true, ignoreStdin: true }),
  };
  static override flags = { ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(MetaSnapshotSave);
    const { encodeSnapshotFile } = await import('../../../meta/snapshot/index.ts');
    const { readSnapshot, snapshotReport, writeSnapshot } =
      await import('../../frame/snapshot-files.ts');
    const { entries, ...source } = await this.ask(flags, 'meta.snapshot', {});
    const text = encodeSnapshotFile({ ...source, createdAtMs: clock.wallUs() / 1000 }, entries);
    writeSnapshot(args.file, text);
    await this.print(snapshotReport(args.file, text, readSnapshot(args.file)));
  }
}

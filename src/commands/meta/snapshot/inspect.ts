import { readFileSync } from 'node:fs';
import { Args } from '@oclif/core';
import { BaseCommand, outputFlags } from '../../frame/base-command.ts';

export default class MetaSnapshotInspect extends BaseCommand {
  static override summary = 'Check a snapshot file, and show what is in it.';
  static override examples = ['<%= config.bin %> meta snapshot inspect cluster.snapshot'];
  static override args = {
    file: Args.string({ description: 'The snapshot.', required: true, ignoreStdin: true }),
  };
  static override flags = outputFlags;

  async run(): Promise<void> {
    const { args } = await this.parse(MetaSnapshotInspect);
    const { readSnapshot, snapshotReport } = await import('../../frame/snapshot-files.ts');
    const snapshot = readSnapshot(args.file);
    await this.print(snapshotReport(args.file, readFileSync(args.file, 'utf8'), snapshot));
  }
}

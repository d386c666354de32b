import { BaseCommand, outputFlags } from '../frame/base-command.ts';
import { contextReport } from '../frame/context-report.ts';
import { readContexts } from '../frame/contexts.ts';

export default class ContextList extends BaseCommand {
  static override summary = 'Show the contexts, and which is in use.';
  static override examples = ['<%= config.bin %> context list'];
  static override flags = outputFlags;

  async run(): Promise<void> {
    await this.parse(ContextList);
    await this.print(contextReport(readContexts()));
  }
}

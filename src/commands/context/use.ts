import { Args } from '@oclif/core';
import { BaseCommand, outputFlags } from '../frame/base-command.ts';
import { contextReport } from '../frame/context-report.ts';
import { noContext, readContexts, writeContexts } from '../frame/contexts.ts';

export default class ContextUse extends BaseCommand {
  static override summary = 'Put a context to use.';
  static override examples = ['<%= config.bin %> context use prod'];
  static override args = {
    name: Args.string({ description: 'Its name.', required: true, ignoreStdin: true }),
  };
  static override flags = outputFlags;

  async run(): Promise<void> {
    const { args } = await this.parse(ContextUse);
    const { contexts } = readContexts();
    if (!Object.hasOwn(contexts, args.name)) throw noContext(args.name, contexts);
    const after = { current: args.name, contexts };
    writeContexts(after);
    await this.print(contextReport(after));
  }
}

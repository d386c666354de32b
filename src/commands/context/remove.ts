import { Args } from '@oclif/core';
import { BaseCommand, outputFlags } from '../frame/base-command.ts';
import { contextReport } from '../frame/context-report.ts';
import { noContext, readContexts, writeContexts } from '../frame/contexts.ts';

export default class ContextRemove extends BaseCommand {
  static override summary = 'Forget a context; the cluster itself is left alone.';
  static override examples = ['<%= config.bin %> context remove prod'];
  static override args = {
    name: Args.string({ description: 'Its name.', required: true, ignoreStdin: true }),
  };
  static override flags = outputFlags;

  async run(): Promise<void> {
    const { args } = await this.parse(ContextRemove);
    const before = readContexts();
    if (!Object.hasOwn(before.contexts, args.name)) throw noContext(args.name, before.contexts);
    const { [args.name]: _removed, ...contexts } = before.contexts;
    const current = before.current === args.name ? undefined : before.current;
    const after = { current, contexts };
    writeContexts(after);
    await this.print(contextReport(after));
  }
}

import { CommandHelp, Help } from '@oclif/core';
import { EXIT_MEANINGS } from '../../cluster/errors.ts';

/** oclif's help with the examples first: that is what most people came for. */
class ExamplesFirst extends CommandHelp {
  protected override sections() {
    const sections = super.sections();
    const isExamples = (section: { header: string }) => section.header === 'EXAMPLES';
    return [...sections.filter(isExamples), ...sections.filter((one) => !isExamples(one))];
  }
}

const EXAMPLES = [
  ['cachectl dev', 'a whole cluster to try things on'],
  ['cachectl status', 'how the cluster is'],
  ['cachectl tenant create shop --max-memory 64mb', 'give somebody a share of it'],
  ['cachectl node start --memory 4gb', 'a node that serves until it is stopped'],
  ['cachectl kv set greeting hello', 'write a key, and read it with kv get'],
  ['cachectl bench --against 127.0.0.1:6379', 'measure it beside another server'],
  ['cachectl COMMAND --help', 'examples and flags of a command'],
];

export default class CachectlHelp extends Help {
  protected override CommandHelpClass = ExamplesFirst;

  override formatRoot(): string {
    const examples = EXAMPLES.map(([command, what]) => [`$ ${command}`, what]);
    const list = this.renderList(examples, { indentation: 2, stripAnsi: false });
    return `${this.section('EXAMPLES', list)}\n\n${super.formatRoot()}`;
  }

  override async showRootHelp(): Promise<void> {
    await super.showRootHelp();
    const codes = Object.entries(EXIT_MEANINGS).map(([code, meaning]) => `${code} ${meaning}`);
    this.log(this.section('EXIT CODES', this.wrap(codes.join(' · '))));
  }
}

import { CommandHelp, Help } from '@oclif/core';

/** oclif's help with the examples first: that is what most people came for. */
class ExamplesFirst extends CommandHelp {
  protected override sections() {
    const sections = super.sections();
    const isExamples = (section: { header: string }) => section.header === 'EXAMPLES';
    return [...sections.filter(isExamples), ...sections.filter((one) => !isExamples(one))];
  }
}

export default class CachectlHelp extends Help {
  protected override CommandHelpClass = ExamplesFirst;
}

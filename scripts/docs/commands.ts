import { join } from 'node:path';
import { Plugin, type Command } from '@oclif/core';
import { describePackage } from '../../src/commands/frame/main.ts';

/** The reference of the command line, of what the commands say of themselves. */
export async function commandsPage(): Promise<string> {
  const root = join(import.meta.dirname, '../../src');
  const options = { root, pjson: describePackage(), isRoot: true, ignoreManifest: true };
  const plugin = new Plugin({ ...options, errorOnManifestCreate: true });
  await plugin.load();
  const commands = Object.values(plugin.manifest.commands).filter(({ hidden }) => !hidden);
  const sorted = commands.toSorted((one, other) => (one.id < other.id ? -1 : 1));
  return `<!-- Made by \`npm run docs\` from src/commands. -->

# Commands

\`cachectl COMMAND --help\` shows the same. Exit codes are in [errors.md](errors.md).

${sorted.map(sectionOf).join('\n')}`;
}

function sectionOf(command: Command.Cached): string {
  const name = `cachectl ${command.id.replaceAll(':', ' ')}`;
  const render = (text: string) => text.replaceAll('<%= config.bin %>', 'cachectl');
  const examples = (command.examples ?? []).map((example) =>
    render(typeof example === 'string' ? example : `# ${example.description}\n${example.command}`),
  );
  const rows = [
    ...Object.values(command.args).map(({ name: word, description = '', required }) => [
      `\`${required ? word.toUpperCase() : `[${word.toUpperCase()}]`}\``,
      description,
    ]),
    ...Object.values(command.flags).map((flag) => [
      `\`${flag.char ? `-${flag.char}, ` : ''}--${flag.name}${valueOf(flag)}\``,
      [flag.summary ?? flag.description ?? '', defaultOf(flag)].filter(Boolean).join(' '),
    ]),
  ];
  const table = rows.map(
    (row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`,
  );
  return `## ${name}

${render([command.summary, command.description].filter(Boolean).join('\n\n'))}

\`\`\`sh
${examples.join('\n')}
\`\`\`
${rows.length === 0 ? '' : `\n| argument or flag | meaning |\n|---|---|\n${table.join('\n')}\n`}`;
}

function valueOf(flag: Command.Flag.Cached): string {
  if (flag.type !== 'option') return '';
  return ` ${flag.helpValue ? String(flag.helpValue) : (flag.options?.join('|') ?? '<value>')}`;
}

function defaultOf(flag: Command.Flag.Cached): string {
  if (flag.type !== 'option' || flag.default === undefined) return '';
  return `[default: ${String(flag.default)}]`;
}

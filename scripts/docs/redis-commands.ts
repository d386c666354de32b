import { COMMANDS } from '../../src/node/commands/index.ts';
import type { CommandGroup, CommandSpec } from '../../src/node/command.ts';

const GROUPS: Readonly<Record<CommandGroup, string>> = {
  string: 'Strings',
  bitmap: 'Bits',
  generic: 'Keys',
  lease: 'Leases',
  connection: 'Connections',
  server: 'Server',
  cluster: 'Cluster',
};

/** The reference of the wire, from the table that also carries the commands out. */
export function redisCommandsPage(): string {
  const sections = Object.entries(GROUPS).flatMap(([group, title]) => {
    const rows = COMMANDS.filter((spec) => spec.group === group)
      .toSorted((one, other) => (one.name < other.name ? -1 : 1))
      .flatMap((spec) => [
        ...(spec.run === undefined ? [] : [rowOf(spec, '')]),
        ...(spec.subcommands ?? []).map((sub) => rowOf(sub, `${spec.name} `)),
      ]);
    return rows.length === 0
      ? []
      : [
          `## ${title}

| command | does | cost | since Redis |
|---|---|---|---|
${rows.join('\n')}
`,
        ];
  });
  return `<!-- Made by \`npm run docs\` from src/node/commands. -->

# Commands of the wire

What a node answers on its port, in RESP2 and RESP3. \`COMMAND DOCS\` and \`COMMAND INFO\` tell the same to clients. Where the answers are not those of Redis, [differences.md](differences.md) says so.

${sections.join('\n')}`;
}

function rowOf(spec: CommandSpec, prefix: string): string {
  const name = `${prefix}${spec.name}`.toUpperCase();
  const cells = [
    `\`${`${name} ${spec.syntax}`.trim()}\``,
    spec.summary,
    spec.complexity,
    spec.since ?? '',
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

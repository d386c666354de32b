import { metaSettings } from '../../src/commands/frame/meta-settings.ts';
import { nodeSettings } from '../../src/commands/frame/node-settings.ts';
import { environmentName, type Settings } from '../../src/commands/frame/settings.ts';

function rowsOf(settings: Settings): string[] {
  return Object.entries(settings).map(([name, { kind, summary, default: fallback, secret }]) => {
    const flag = secret ? '' : `\`--${name}\``;
    const shown = fallback === undefined ? '' : `\`${kind.format(fallback)}\``;
    const cells = [`\`${name}\``, flag, `\`${environmentName(name)}\``, shown, kind.form, summary];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
}

export function settingsPage(): string {
  return `<!-- Made by \`npm run docs\` from src/commands/frame/{node,meta}-settings.ts. -->

# Settings

\`cachectl node start\` and \`cachectl meta start\` take each setting as a flag, as an environment variable, or by its name in the YAML file that \`--config\` names. The flag wins over the environment, that over the file, and that over the default. What is unknown or not allowed is refused with its name, the value and what is allowed; the exit code is then 2. A secret has no flag, since other users of the machine can see those.

## Of a node

| setting | flag | environment | default | allowed | meaning |
|---|---|---|---|---|---|
${rowsOf(nodeSettings).join('\n')}

A file looks like this:

\`\`\`yaml
listen: 0.0.0.0:7400
memory: 4gb
policy: lfu
idle-timeout: 10m
\`\`\`

## Of a meta peer

What a new cluster is to be (\`shards\`, \`replicas\`, \`initial-nodes\`) is taken from the peer that leads first, and has no meaning later.

| setting | flag | environment | default | allowed | meaning |
|---|---|---|---|---|---|
${rowsOf(metaSettings).join('\n')}
`;
}

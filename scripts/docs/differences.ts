import { DIFFERENCES } from '../../test/differential/differences.ts';

export function differencesPage(): string {
  const rows = DIFFERENCES.map(({ commands, redis, ours, reason, example }) => {
    const names = commands.map((name) => `\`${name.toUpperCase().replace('|', ' ')}\``);
    const cells = [names.join(', '), redis, ours, reason, example.map(requestText).join('<br>')];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return `<!-- Made by \`npm run docs\` from test/differential/differences.ts. -->

# Differences from Redis

Commands of the string and key families answer as Redis 7.2 does, to the letter of the errors. A test puts random sequences of requests to a node and to a real \`redis-server\` 7.0.15, and compares the replies byte by byte. It tolerates what is in this table and nothing else; it also runs each example, and fails where the difference is no longer there.

| command | Redis 7.0.15 | this node | why | example |
|---|---|---|---|---|
${rows.join('\n')}

Where the right reply is not determined, it is compared as far as it is: \`TTL\` and its kin to within two seconds, \`KEYS\` and a full \`SCAN\` in any order, \`RANDOMKEY\` and \`MEMORY USAGE\` as to whether there is any.
`;
}

function requestText(request: readonly string[]): string {
  const words = request.map((word) =>
    /^[\w.:-]+$/.test(word)
      ? word
      : JSON.stringify(word).replaceAll(String.raw`\u0000`, String.raw`\0`),
  );
  return `\`${words.join(' ')}\``;
}

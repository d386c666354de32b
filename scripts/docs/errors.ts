import { ERRORS, EXIT, type ExitCode } from '../../src/cluster/index.ts';

const EXIT_MEANINGS: Readonly<Record<ExitCode, string>> = {
  [EXIT.ok]: 'done',
  [EXIT.failed]: 'failed',
  [EXIT.usage]: 'the command line, or a setting, is wrong',
  [EXIT.notFound]: 'what was named does not exist',
  [EXIT.unreachable]: 'cannot connect, or timed out',
  [EXIT.unhealthy]: 'reachable and not healthy',
  [EXIT.conflict]: 'the state has moved on: a stale plan, not the leader',
  [EXIT.refused]: 'refused without `--yes`',
  [EXIT.changesPending]: 'changes are pending (`--dry-run --exit-code`)',
  [EXIT.interrupted]: 'interrupted',
};

export function errorsPage(): string {
  const errors = Object.entries(ERRORS).map(
    ([code, { exitCode, httpStatus, meaning, remedy }]) =>
      `| \`${code}\` | ${exitCode} | ${httpStatus} | ${meaning} | ${remedy} |`,
  );
  const exits = Object.entries(EXIT_MEANINGS).map(([code, meaning]) => `| ${code} | ${meaning} |`);
  return `<!-- Made by \`npm run docs\` from src/cluster/errors.ts. -->

# Errors

Each error has a code, in the envelope of \`-o json\`, in the SDK's \`error.code\` and in the answers of the HTTP side. Codes stay; messages may change.

| code | exit | HTTP | when | what to do |
|---|---|---|---|---|
${errors.join('\n')}

## Exit codes

| code | meaning |
|---|---|
${exits.join('\n')}
`;
}

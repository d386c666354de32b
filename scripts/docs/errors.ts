import { ERRORS, EXIT_MEANINGS } from '../../src/cluster/index.ts';

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

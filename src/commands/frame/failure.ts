/** Turns whatever was thrown into the one kind of error that is shown, and shows it. */
import { styleText } from 'node:util';
import { Errors } from '@oclif/core';
import { CachectlError, ERRORS } from '../../cluster/errors.ts';
import { SystemError } from '../../runtime/index.ts';

/** oclif puts its own words around what a flag's parser has thrown. */
const FLAG_PARSING = /^Parsing --\S+ \n\t([\s\S]*)\nSee more help with --help$/;

const UNREACHABLE = new Set(['ECONNREFUSED', 'ECONNRESET', 'EHOSTUNREACH', 'ENETUNREACH', 'EPIPE']);

/** @param command as typed, to point at its help. */
export function toCachectlError(thrown: unknown, command?: string): CachectlError {
  if (thrown instanceof CachectlError) {
    const own = FLAG_PARSING.exec(thrown.message)?.[1];
    return own === undefined ? thrown : new CachectlError(thrown.code, own, withHint(thrown.hint));
  }
  if (!(thrown instanceof Error)) {
    return new CachectlError('ERR_CACHECTL_FAILED', String(thrown), { cause: thrown });
  }
  const options = { cause: thrown };
  if (thrown.name === 'ExitPromptError' || thrown.name === 'AbortPromptError') {
    return new CachectlError('ERR_CACHECTL_INTERRUPTED', 'interrupted', options);
  }
  if (isUsageError(thrown)) {
    const message = thrown.message.replace(/\nSee more help with --help$/, '');
    const hint = command === undefined ? {} : { hint: `See: ${command} --help` };
    return new CachectlError('ERR_CACHECTL_USAGE', message, { ...options, ...hint });
  }
  if (thrown instanceof SystemError) {
    const code = UNREACHABLE.has(thrown.code)
      ? 'ERR_CACHECTL_CONNECT'
      : thrown.code === 'ETIMEDOUT'
        ? 'ERR_CACHECTL_TIMEOUT'
        : 'ERR_CACHECTL_FAILED';
    return new CachectlError(code, thrown.message, options);
  }
  return new CachectlError('ERR_CACHECTL_FAILED', thrown.message, options);
}

/** Words for a person, with a newline at their end. */
export function describeError(error: CachectlError): string {
  const lines = [`${styleText('red', 'Error:', { stream: process.stderr })} ${error.message}`];
  const known = error.code === 'ERR_CACHECTL_FAILED' ? undefined : ERRORS[error.code].remedy;
  const advice = error.hint ?? known;
  if (advice !== undefined) lines.push(`  ${advice}`);
  // A bug rather than a failure: without its place nobody could look into it.
  if (error.cause instanceof Error && !isExpected(error.cause)) lines.push(stackOf(error.cause));
  return `${lines.join('\n')}\n`;
}

function withHint(hint: string | undefined): { hint?: string } {
  return hint === undefined ? {} : { hint };
}

/** Commands throw no errors of oclif's own, so those are its parser's. */
function isUsageError(error: Error): boolean {
  return error instanceof Errors.CLIError || 'parse' in error;
}

function isExpected(cause: Error): boolean {
  return cause instanceof SystemError || isUsageError(cause) || cause.name.endsWith('PromptError');
}

function stackOf(cause: Error): string {
  const frames = (cause.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  return frames.slice(0, 6).join('\n');
}

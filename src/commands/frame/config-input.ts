/** What people give for a config document, on the command line and in files. */
import { readFileSync } from 'node:fs';
import { CachectlError } from '../../cluster/errors.ts';
import type { ConfigValues } from '../../cluster/config-document.ts';
import type { OperationOutput } from '../../meta/admin/index.ts';
import { parse } from 'yaml';
import { changesInWords } from './admin-views.ts';
import type { Report } from './output.ts';

const FORM = 'a setting is NAME=VALUE, such as max-value-size=2mb';

/** @throws {CachectlError} `ERR_CACHECTL_VALUE` */
export function parseSettings(words: readonly string[]): ConfigValues {
  return Object.fromEntries(
    words.map((word) => {
      const [, name, text] = /^([^=]+)=(.*)$/s.exec(word) ?? [];
      if (name === undefined || text === undefined) {
        throw new CachectlError('ERR_CACHECTL_VALUE', `'${word}' is no setting: ${FORM}`);
      }
      return [name, valueOf(text)];
    }),
  );
}

/** Numbers, true and false are themselves; all else is text. */
function valueOf(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
}

export function nothingToSet(): CachectlError {
  return new CachectlError('ERR_CACHECTL_USAGE', `nothing to set: ${FORM}`, {
    hint: 'Or take settings out with --unset NAME.',
  });
}

/**
 * @param path `-`: standard input
 * @throws {CachectlError} `ERR_CACHECTL_CONFIG_FILE`
 */
export function readSettingsFile(path: string): ConfigValues {
  const refuse = (reason: string) =>
    new CachectlError('ERR_CACHECTL_CONFIG_FILE', `${path}: ${reason}`);
  let content: unknown;
  try {
    content = parse(readFileSync(path === '-' ? 0 : path, 'utf8'));
  } catch (cause) {
    throw refuse(cause instanceof Error ? cause.message : String(cause));
  }
  if (content === null || content === undefined) return {};
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw refuse('settings are lines such as `max-value-size: 2mb`');
  }
  return Object.fromEntries(
    Object.entries(content).map(([name, value]: [string, unknown]) => {
      if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
        return [name, value];
      }
      throw refuse(`${name} is neither text, nor a number, nor true or false`);
    }),
  );
}

export function configWrittenReport(done: OperationOutput<'config.set'>): Report {
  const { config, changes, isChanged } = done;
  const words = isChanged
    ? `Version ${config.version} of '${config.name}' is being rolled out:\n${changesInWords(changes)}`
    : `Nothing is changed: '${config.name}' stays at version ${config.version}.`;
  return { kind: 'ConfigWritten', data: done, view: words, names: [config.name] };
}

/**
 * Settings that can be given as a flag, in the environment or in a file, by one name: `memory` is
 * `--memory`, `CACHECTL_MEMORY`, and `memory:` in YAML. The flag wins over the environment, that
 * over the file, and that over the default. A value that is not allowed is refused, never bent.
 */
import { readFileSync } from 'node:fs';
import { Flags, type Interfaces } from '@oclif/core';
import { LineCounter, isMap, isScalar, parseDocument } from 'yaml';
import { CachectlError } from '../../cluster/errors.ts';
import { suggest } from '../../cluster/suggest.ts';
import { badValue, type Kind } from './kinds.ts';

export interface Setting<T, Default extends T | undefined = T | undefined> {
  readonly kind: Kind<T>;
  readonly summary: string;
  /** Undefined: nothing, or chosen at the start, as the summary says. */
  readonly default: Default;
  /** Under which heading the help shows it. */
  readonly group?: string;
  /** Not a flag: other users of the machine see the flags of a process. */
  readonly secret?: boolean;
}

export type Settings = Readonly<Record<string, Setting<unknown>>>;
export type Values<S extends Settings> = {
  [Name in keyof S]?: S[Name]['kind'] extends Kind<infer T> ? T : never;
};

export function setting<T, Default extends T | undefined>(
  kind: Kind<T>,
  fallback: Default,
  summary: string,
): Setting<T, Default> {
  return { kind, summary, default: fallback };
}

export const environmentName = (name: string): string =>
  `CACHECTL_${name.replaceAll('-', '_').toUpperCase()}`;

/** Their values stay text here, so that one place reads all sources. */
export function flagsOf(
  settings: Settings,
): Record<string, Interfaces.OptionFlag<string | undefined>> {
  const open = Object.entries(settings).filter(([, { secret }]) => !secret);
  return Object.fromEntries(
    open.map(([name, { kind, summary, default: fallback, group }]) => [
      name,
      Flags.string({
        summary:
          fallback === undefined
            ? `${summary} [env: ${environmentName(name)}]`
            : `${summary} [default: ${kind.format(fallback)}, env: ${environmentName(name)}]`,
        helpValue: kind.label,
        ...(group === undefined ? {} : { helpGroup: group }),
      }),
    ]),
  );
}

/** Where settings may have been given. */
export interface Sources {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Path of a YAML file. */
  readonly file: string | undefined;
}

/**
 * What was given, from the source that wins; what was not given is left out.
 *
 * @throws {CachectlError} `ERR_CACHECTL_VALUE` for a bad value, `ERR_CACHECTL_CONFIG_FILE` for a
 *   file that cannot be read or names an unknown setting.
 */
export function readSettings<S extends Settings>(settings: S, sources: Sources): Values<S> {
  const file =
    sources.file === undefined ? new Map<string, Entry>() : readFile(sources.file, settings);
  const values: Record<string, unknown> = {};
  for (const [name, { kind, secret }] of Object.entries(settings)) {
    const flag = sources.flags[name];
    const variable = environmentName(name);
    const inEnvironment = sources.environment[variable];
    const inFile = file.get(name);
    if (typeof flag === 'string') values[name] = valueOf(kind, flag, `--${name}`, secret);
    else if (inEnvironment) values[name] = valueOf(kind, inEnvironment, variable, secret);
    else if (inFile) values[name] = valueOf(kind, inFile.text, inFile.place, secret);
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each value is of its own kind
  return values as Values<S>;
}

function valueOf<T>(kind: Kind<T>, text: string, place: string, secret = false): T {
  const value = kind.parse(text);
  if (value === undefined) throw badValue(place, secret ? undefined : text, kind.form);
  return value;
}

interface Entry {
  readonly text: string;
  /** For messages: where in which file. */
  readonly place: string;
}

function readFile(path: string, settings: Settings): Map<string, Entry> {
  const refuse = (message: string, hint?: string) =>
    new CachectlError('ERR_CACHECTL_CONFIG_FILE', `${path}${message}`, hint ? { hint } : {});
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw refuse(`: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  const lines = new LineCounter();
  const lineOf = (offset: number) => lines.linePos(offset).line;
  // With this schema every value is the text that stands there: a secret of digits keeps its zeros.
  const { contents, errors } = parseDocument(text, { lineCounter: lines, schema: 'failsafe' });
  if (errors.length > 0) throw refuse(`:${lineOf(errors[0].pos[0])}: ${errors[0].message}`);
  if (contents === null) return new Map();
  if (!isMap(contents)) throw refuse(':1: settings are lines such as `memory: 64mb`');
  const entries = new Map<string, Entry>();
  for (const { key, value } of contents.items) {
    if (!isScalar(key) || !isScalar(value)) {
      throw refuse(`:${lineOf(contents.range?.[0] ?? 0)}: a setting is a name and one value`);
    }
    const name = String(key.value);
    const at = `:${lineOf(key.range?.[0] ?? 0)}: `;
    if (!Object.hasOwn(settings, name)) {
      const meant = suggest(name, Object.keys(settings));
      const hint = meant
        ? `Did you mean '${meant}'?`
        : `Known: ${Object.keys(settings).join(', ')}`;
      throw refuse(`${at}unknown setting '${name}'`, hint);
    }
    entries.set(name, { text: String(value.value), place: `${path}${at}${name}` });
  }
  return entries;
}

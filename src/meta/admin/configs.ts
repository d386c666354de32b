/** Config documents, their history, and how far their rollouts are. */
import {
  asRevision,
  checkLiveSettings,
  configDocumentSchema,
  METADATA_KEYS,
  rolloutSchema,
  suggest,
  type ConfigDocument,
  type ConfigValues,
  type Rollout,
} from '../../cluster/index.ts';
import { settled, type Draft, type Stored } from './draft.ts';
import {
  checkRevision,
  conflict,
  notFound,
  recordEvent,
  type Answer,
  type ReadHandlers,
  type WriteHandlers,
  type Writing,
} from './handlers.ts';
import type { CheckedInput } from './schemas.ts';
import type { ConfigChange } from './views.ts';

export const configReads = {
  'config.list': ({ draft, revision }) => ({
    configs: draft.readAll(METADATA_KEYS.configs, configDocumentSchema).map(view),
    revision,
  }),
  'config.get': ({ draft }, { name, version }) => {
    const newest = readConfig(draft, name);
    return { config: view(version === undefined ? newest : readVersion(draft, name, version)) };
  },
  'config.history': ({ draft }, { name, limit }) => {
    readConfig(draft, name);
    const versions = draft.readAll(METADATA_KEYS.configHistory(name), configDocumentSchema);
    return { versions: versions.map(view).toReversed().slice(0, limit) };
  },
  'config.diff': ({ draft }, { name, from, to }) => {
    const { value: newest } = readConfig(draft, name);
    const toVersion = to ?? newest.version;
    const fromVersion = from ?? toVersion - 1;
    const valuesOf = (version: number): ConfigValues =>
      version === 0 ? {} : readVersion(draft, name, version).value.values;
    const changes = changesBetween(valuesOf(fromVersion), valuesOf(toVersion));
    return { name, from: fromVersion, to: toVersion, changes };
  },
  'rollout.status': ({ draft, revision }, { document }) => {
    const rollouts =
      document === undefined
        ? draft.readAll(METADATA_KEYS.rollouts, rolloutSchema)
        : [readRollout(draft, document)];
    return { rollouts: rollouts.map((rollout) => view(rollout)), revision };
  },
} satisfies Partial<ReadHandlers>;

export const configWrites = {
  'config.set': (context, input) => {
    const before = context.draft.read(METADATA_KEYS.config(input.name), configDocumentSchema);
    const values = { ...valuesInForce(context.draft, input.name, before), ...input.set };
    for (const setting of input.unset) {
      if (!Object.hasOwn(values, setting)) {
        const hint = `See: cachectl config get ${input.name}`;
        throw notFound(`setting '${setting}' in config '${input.name}'`, hint);
      }
    }
    const kept = Object.entries(values).filter(([setting]) => !input.unset.includes(setting));
    return writeConfig(context, 'config.set', input, before, Object.fromEntries(kept));
  },
  'config.apply': (context, input) => {
    const before = context.draft.read(METADATA_KEYS.config(input.name), configDocumentSchema);
    return writeConfig(context, 'config.apply', input, before, input.values);
  },
  'rollout.pause': (context, input) => setPaused(context, 'rollout.pause', input, true),
  'rollout.resume': (context, input) => setPaused(context, 'rollout.resume', input, false),
  'rollout.rollback': (context, { document, ifRevision }) => {
    const { draft } = context;
    const found = readRollout(draft, document);
    checkRevision(`the rollout of '${document}'`, found, ifRevision);
    const { value: rollout } = found;
    if (rollout.phase === 'rolled-back') {
      return (revision) => ({ rollout: view(settled(found, revision)) });
    }
    const error = `rolled back by ${context.who}`.slice(0, 500);
    const rolledBack: Rollout = { ...rollout, phase: 'rolled-back', isPaused: false, error };
    draft.put(METADATA_KEYS.rollout(document), rolledBack);
    const words = `version ${rollout.version} is taken back; ${rollout.versionBefore} stays`;
    const subject = `config ${document}`;
    recordEvent(context, { operation: 'rollout.rollback', subject, words });
    return (revision) => ({ rollout: { ...rolledBack, revision } });
  },
} satisfies Partial<WriteHandlers>;

function view<T extends object>({ value, revision }: Stored<T>): T & Pick<Stored<T>, 'revision'> {
  return { ...value, revision };
}

function readConfig(draft: Draft, name: string): Stored<ConfigDocument> {
  const found = draft.read(METADATA_KEYS.config(name), configDocumentSchema);
  if (found !== undefined) return found;
  const names = draft.list(METADATA_KEYS.configs).map(({ key }) => key.split('/')[1]);
  const near = suggest(name, names);
  const hint = near === undefined ? 'See: cachectl config get' : `Did you mean '${near}'?`;
  throw notFound(`config '${name}'`, hint);
}

function readVersion(draft: Draft, name: string, version: number): Stored<ConfigDocument> {
  const found = draft.read(METADATA_KEYS.configVersion(name, version), configDocumentSchema);
  if (found !== undefined) return found;
  throw notFound(`version ${version} of config '${name}'`, `See: cachectl config history ${name}`);
}

function readRollout(draft: Draft, document: string): Stored<Rollout> {
  const found = draft.read(METADATA_KEYS.rollout(document), rolloutSchema);
  if (found !== undefined) return found;
  readConfig(draft, document);
  throw notFound(`rollout of config '${document}'`, 'See: cachectl rollout status');
}

const isUnderWay = ({ phase }: Rollout) => phase !== 'done' && phase !== 'rolled-back';

function writeConfig(
  context: Writing,
  operation: 'config.set' | 'config.apply',
  input: Pick<CheckedInput<'config.apply'>, 'name' | 'message' | 'ifRevision'>,
  before: Stored<ConfigDocument> | undefined,
  values: ConfigValues,
): Answer<'config.set'> {
  const { draft, nowMs, who } = context;
  const { name, message, ifRevision } = input;
  checkRevision(`config '${name}'`, { revision: before?.revision ?? asRevision(0) }, ifRevision);
  const changes = changesBetween(valuesInForce(draft, name, before), values);
  if (before !== undefined && changes.length === 0) {
    return (revision) => ({ config: view(settled(before, revision)), changes, isChanged: false });
  }
  // What was there before is not asked again: a newer version may know fewer settings.
  checkLiveSettings(
    Object.fromEntries(changes.flatMap(({ setting, to }) => (to === null ? [] : [[setting, to]]))),
  );
  const versionBefore = refuseWhileRolling(draft, name);
  const version = (before?.value.version ?? 0) + 1;
  const document: ConfigDocument = {
    ...{ name, version, values, message },
    author: who,
    createdAtMs: nowMs,
  };
  draft.put(METADATA_KEYS.config(name), document);
  draft.put(METADATA_KEYS.configVersion(name, version), document);
  const rollout: Rollout = {
    ...{ document: name, version, versionBefore },
    phase: 'canary',
    isPaused: false,
    nodes: [],
    waveSinceMs: nowMs,
  };
  draft.put(METADATA_KEYS.rollout(name), rollout);
  const words = `version ${version}: ${changes.map(changeInWords).join(', ')}`;
  recordEvent(context, { operation, subject: `config ${name}`, words });
  return (revision) => ({ config: { ...document, revision }, changes, isChanged: true });
}

/** What the nodes have, or are getting: a version that was taken back is no ground to build on. */
function valuesInForce(
  draft: Draft,
  name: string,
  newest: Stored<ConfigDocument> | undefined,
): ConfigValues {
  const rollout = draft.read(METADATA_KEYS.rollout(name), rolloutSchema)?.value;
  if (rollout?.phase !== 'rolled-back') return newest?.value.values ?? {};
  const { versionBefore } = rollout;
  return versionBefore === 0 ? {} : readVersion(draft, name, versionBefore).value.values;
}

/** @returns the version that all nodes have; 0: none */
function refuseWhileRolling(draft: Draft, name: string): number {
  const rollout = draft.read(METADATA_KEYS.rollout(name), rolloutSchema)?.value;
  if (rollout === undefined) return 0;
  if (!isUnderWay(rollout)) {
    return rollout.phase === 'done' ? rollout.version : rollout.versionBefore;
  }
  const words = `version ${rollout.version} of config '${name}' is still being rolled out`;
  throw conflict(words, `Wait for it, or: cachectl rollout rollback ${name}`);
}

function setPaused(
  context: Writing,
  operation: 'rollout.pause' | 'rollout.resume',
  { document, ifRevision }: CheckedInput<'rollout.pause'>,
  isPaused: boolean,
): Answer<'rollout.pause'> {
  const found = readRollout(context.draft, document);
  checkRevision(`the rollout of '${document}'`, found, ifRevision);
  if (!isUnderWay(found.value)) {
    throw conflict(`the rollout of '${document}' is over: ${found.value.phase}`);
  }
  if (found.value.isPaused === isPaused)
    return (revision) => ({ rollout: view(settled(found, revision)) });
  const rollout: Rollout = { ...found.value, isPaused, waveSinceMs: context.nowMs };
  context.draft.put(METADATA_KEYS.rollout(document), rollout);
  const words = `version ${rollout.version}, ${rollout.phase}`;
  recordEvent(context, { operation, subject: `config ${document}`, words });
  return (revision) => ({ rollout: { ...rollout, revision } });
}

function changesBetween(before: ConfigValues, after: ConfigValues): ConfigChange[] {
  const settings = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
  return settings
    .map((setting) => ({
      setting,
      from: before[setting] ?? null,
      to: after[setting] ?? null,
    }))
    .filter(({ from, to }) => from !== to);
}

function changeInWords({ setting, from, to }: ConfigChange): string {
  if (to === null) return `${setting} is unset`;
  return from === null ? `${setting}=${to}` : `${setting} ${from} → ${to}`;
}

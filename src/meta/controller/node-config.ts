/** Which settings a node is to have: of each document the version that its rollout gives it. */
import { createHash } from 'node:crypto';
import type { ConfigDocument, ConfigValues, NodeId } from '../../cluster/index.ts';
import type { ClusterState } from './cluster-state.ts';

export interface NodeConfig {
  /** Names what is in `values`: equal for equal documents. Empty: there is none. */
  readonly version: string;
  readonly values: ConfigValues;
}

const VERSION_LENGTH_MAX = 200;

/** Documents in the order of their names; where two have one setting, the later wins. */
export function configOf(state: ClusterState, node: NodeId): NodeConfig {
  const names = [...state.configs.keys()].sort();
  const documents = names.flatMap((name) => documentOf(state, name, node) ?? []);
  const version = documents.map((document) => `${document.name}@${document.version}`).join(',');
  return {
    version: version.length <= VERSION_LENGTH_MAX ? version : digest(version),
    values: Object.fromEntries(documents.flatMap(({ values }) => Object.entries(values))),
  };
}

function documentOf(state: ClusterState, name: string, node: NodeId): ConfigDocument | undefined {
  const rollout = state.rollouts.get(name);
  if (rollout === undefined || rollout.phase === 'done') return state.configs.get(name);
  const isIn = rollout.phase !== 'rolled-back' && rollout.nodes.includes(node);
  return state.configVersion(name, isIn ? rollout.version : rollout.versionBefore);
}

function digest(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}

/** Creates the cluster: its settings, and the tenant of those who have not said who they are. */
import {
  DEFAULT_NAMESPACE,
  DEFAULT_TENANT,
  METADATA_KEYS,
  tenantSettingsSchema,
  type ClusterSettings,
  type Namespace,
  type Tenant,
} from '../../../cluster/index.ts';
import {
  type ControllerLoop,
  type LoopStep,
  type LoopTime,
  type LoopView,
  NO_STEP,
} from '../loop.ts';
import { put } from '../map-commit.ts';

export type NewCluster = Pick<ClusterSettings, 'id' | 'shardCount' | 'replicas'>;

export class BootstrapLoop implements ControllerLoop {
  readonly name = 'bootstrap';
  readonly #cluster: NewCluster;

  constructor(cluster: NewCluster) {
    this.#cluster = cluster;
  }

  step({ state }: LoopView, { wallMs: createdAtMs }: LoopTime): LoopStep {
    if (state.settings !== undefined) return NO_STEP;
    const settings: ClusterSettings = { ...this.#cluster, createdAtMs };
    const tenant: Tenant = {
      ...tenantSettingsSchema.parse({ replicas: settings.replicas }),
      name: DEFAULT_TENANT,
      number: 0,
      createdAtMs,
    };
    const namespace: Namespace = {
      ...{ tenant: DEFAULT_TENANT, name: DEFAULT_NAMESPACE, number: 0, createdAtMs },
    };
    const words = `${settings.shardCount} shards, ${settings.replicas} replicas each`;
    return {
      commit: {
        compares: [state.unchanged(METADATA_KEYS.settings)],
        changes: [
          put(METADATA_KEYS.settings, settings),
          put(METADATA_KEYS.tenant(DEFAULT_TENANT), tenant),
          put(METADATA_KEYS.namespace(DEFAULT_TENANT, DEFAULT_NAMESPACE), namespace),
        ],
        events: [{ operation: 'cluster.create', subject: `cluster ${settings.id}`, words }],
      },
    };
  }
}

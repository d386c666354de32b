/** Whose the operations of a scenario are, and what is asked once the faults are over. */
import type { StoreRequest } from './client.ts';
import type { ControlOperation, TenantRequest } from './scenario.ts';

export const isRequest = (operation: ControlOperation): operation is StoreRequest =>
  operation.kind !== 'compact' &&
  operation.kind !== 'transfer' &&
  !('node' in operation) &&
  !isOfTenant(operation);

export const isOfTenant = (operation: ControlOperation): operation is TenantRequest =>
  operation.kind === 'tenant';

/** Ids that no drawn operation has. */
const PROBE_ID = 1_000_000;

export function probes(client: number): StoreRequest[] {
  const common = { client, thinkMs: 10 };
  const id = PROBE_ID + client * 2;
  return [
    { ...common, id, kind: 'put', key: 'b/2' },
    { ...common, id: id + 1, kind: 'read', group: 'b' },
  ];
}

export function tenantProbes(client: number): TenantRequest[] {
  const common = { client, thinkMs: 10, kind: 'tenant', tenant: 'shop' } as const;
  const id = 2 * PROBE_ID + client * 2;
  return [
    { ...common, id, action: 'update' },
    { ...common, id: id + 1, action: 'show' },
  ];
}

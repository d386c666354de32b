/** A node as the cluster knows it. Whether it lives is another matter: see `wire.ts`. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { asNodeId, nameSchema, nodeIdSchema, type NodeId } from './ids.ts';

const port = z.int().min(1).max(65_535);

/** What a node says of itself when it registers. */
export const nodeFactsSchema = z.strictObject({
  id: nodeIdSchema,
  name: nameSchema,
  /** Where clients reach it. */
  host: z.string().min(1).max(255),
  port,
  /** Where other nodes reach it, on the same host. */
  replicationPort: port,
  httpPort: port.optional(),
  zone: nameSchema,
  /** Replicas of a shard are kept on different machines where that can be. */
  machine: z.string().min(1).max(255),
  /** Its share of the shards, relative to others'. 0: none. */
  weight: z.number().min(0).max(1000),
  memoryBytes: z.int().min(0),
  /** Differs for each start of the process: its memory begins empty. */
  bootId: z.string().regex(/^[0-9a-f]{16}$/, 'a boot id is 16 hex digits'),
  version: z.string().max(63),
});

/** `draining`: its shards are to go elsewhere; `down`: declared dead, until it registers anew. */
export const nodeStateSchema = z.enum(['up', 'draining', 'down']);

export const nodeRecordSchema = nodeFactsSchema.extend({
  state: nodeStateSchema,
  /** Kept while it is down: whether it was being drained. */
  isDraining: z.boolean(),
  registeredAtMs: z.int().min(0),
  /** When it was declared dead; absent while it is not. */
  downSinceMs: z.int().min(0).optional(),
});

export type NodeFacts = Readonly<z.infer<typeof nodeFactsSchema>>;
export type NodeState = z.infer<typeof nodeStateSchema>;
export type NodeRecord = Readonly<z.infer<typeof nodeRecordSchema>>;

/** A node keeps its id when it is started anew, since it follows from its name. */
export function nodeIdOfName(name: string): NodeId {
  return asNodeId(createHash('sha1').update(`cachectl node ${name}`).digest('hex'));
}

/** May be given shards. */
export function takesShards({ state, weight }: NodeRecord): boolean {
  return state === 'up' && weight > 0;
}

export type NodesById = ReadonlyMap<NodeId, NodeRecord>;

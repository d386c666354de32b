/**
 * The audit log, and the numbers that are given out. An event is part of the commit that it tells
 * of: neither is there without the other, and the revision of the event's record is that of what
 * was done.
 */
import { z } from 'zod';

const number = z.int().min(1);

/** The next number of each kind; none is given out twice. 0 is the default tenant's. */
export const countersSchema = z.strictObject({
  tenant: number,
  namespace: number,
  move: number,
  event: number,
});

export const auditEventSchema = z.strictObject({
  number,
  atMs: z.int().min(0),
  /** A person, as the client says; or `controller`. */
  who: z.string().max(255),
  /** What was done: an operation of the admin API, such as `tenant.create`, or of the controller. */
  operation: z.string().max(63),
  /** To what, such as `tenant shop`. */
  subject: z.string().max(255),
  /** The rest, for people. */
  words: z.string().max(1000),
});

export type Counters = Readonly<z.infer<typeof countersSchema>>;
export type AuditEvent = Readonly<z.infer<typeof auditEventSchema>>;

/** Of a new cluster. */
export const FIRST_COUNTERS: Counters = Object.freeze({
  tenant: 1,
  namespace: 1,
  move: 1,
  event: 1,
});

/** Events that are kept; older ones go. */
export const AUDIT_EVENTS_MAX = 10_000;

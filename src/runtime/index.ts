/**
 * The seam between the product and the world: the ports' types, and what both implementations
 * share. The real implementation is in `node/`; the simulator has its own.
 *
 * Read `ports.ts` first; then `node/` for how the real one does it.
 */
export * from './ports.ts';
export { invariant, InvariantError } from './invariant.ts';
export { copyBytes } from './bytes.ts';

/** The time of the last access in a record's 21 access bits: seconds, which wrap after 24 days. */
import type { PolicyLinks } from './policy.ts';

const MASK = 0x1f_ffff;

export function stampAccess(links: PolicyLinks, ref: number, nowSeconds: number): void {
  links.setAccessBits(ref, nowSeconds & MASK);
}

export function secondsSinceAccess(links: PolicyLinks, ref: number, nowSeconds: number): number {
  return (nowSeconds - links.accessBits(ref)) & MASK;
}

import { expect, test } from 'vitest';
import { NodeWorld, OTHER } from '../test-support.ts';
import { LEASE_RULES, type LeaseRules } from './lease.ts';
import { mapOf } from './test-support.ts';

/** What a write is answered that came while its primary was paused for longer than its lease. */
function replyAfterPause(leaseRules: LeaseRules = LEASE_RULES): string {
  const world = new NodeWorld({ leaseRules });
  world.ask('SET', 'key', 'before');
  world.run(5);
  expect(world.replies).toEqual(['+OK\r\n']);
  world.node.pause();
  world.run(1000);
  // The leader has given the node up, and its shard to another; the news wait with the write.
  world.ask('SET', 'key', 'after');
  world.run(500);
  world.leader.map = mapOf(3, [OTHER]);
  world.node.resume();
  world.run(1);
  return world.replies[1];
}

test('a primary that wakes from a long pause serves nothing, not even what came meanwhile', () => {
  expect(replyAfterPause()).toBe('-CLUSTERDOWN The cluster is down\r\n');
});

test('one that does not look at its lease would', () => {
  expect(replyAfterPause({ ...LEASE_RULES, isHeld: (untilUs) => untilUs > 0 })).toBe('+OK\r\n');
});

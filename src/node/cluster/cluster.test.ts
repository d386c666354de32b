import { describe, expect, test } from 'vitest';
import { LEASE_TIMES } from '../../cluster/index.ts';
import { NodeWorld, OTHER } from '../test-support.ts';
import { LEASE_RULES, type LeaseRules } from './lease.ts';
import { mapOf } from './test-support.ts';

const DOWN = '-CLUSTERDOWN The cluster is down\r\n';
const LEASE_MS = LEASE_TIMES.leaseMs - LEASE_TIMES.marginMs;

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
  expect(replyAfterPause()).toBe(DOWN);
});

test('one that does not look at its lease would', () => {
  expect(replyAfterPause({ ...LEASE_RULES, isHeld: (untilUs) => untilUs > 0 })).toBe('+OK\r\n');
});

describe('a primary whose lease has just run out', () => {
  function lapsed(): NodeWorld {
    const world = new NodeWorld({});
    const { answerHeartbeat } = world.leader;
    world.leader.answerHeartbeat = () => undefined;
    world.run(LEASE_MS);
    world.leader.answerHeartbeat = answerHeartbeat;
    return world;
  }

  test.each([
    { command: ['SET', 'key', 'value'], reply: '+OK\r\n' },
    { command: ['DBSIZE'], reply: ':0\r\n' },
  ])('holds $command back, and carries it out with the next lease', ({ command, reply }) => {
    const world = lapsed();
    world.ask(...command);
    world.run(1);
    expect(world.replies).toEqual([]);
    world.run(250);
    expect(world.replies).toEqual([reply]);
  });

  test.each([['SET', 'key', 'value'], ['DBSIZE']])(
    'answers that the cluster is down where no lease comes: %s',
    (...command) => {
      const world = lapsed();
      world.leader.answerHeartbeat = () => undefined;
      world.ask(...command);
      // The last heartbeat that was answered may have been sent 250 ms before.
      world.run(240);
      expect(world.replies).toEqual([]);
      world.run(260);
      expect(world.replies).toEqual([DOWN]);
      world.ask(...command);
      world.run(1);
      expect(world.replies).toEqual([DOWN, DOWN]);
    },
  );
});

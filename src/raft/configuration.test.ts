import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addLearners,
  changeProblem,
  enterJoint,
  keepsVoters,
  leaveJoint,
  newVoters,
} from './configuration-change.ts';
import {
  decodeConfiguration,
  encodeConfiguration,
  initialConfiguration,
  isJoint,
  isVoter,
  makeConfiguration,
  membersOf,
} from './configuration.ts';
import { quorumsIntersect } from './testing/oracles.ts';
import { addressesOf, configurationOf } from './testing/solo.ts';
import { asPeerId } from './types.ts';
import type { Configuration, PeerId } from './types.ts';

const PEERS = ['a', 'b', 'c', 'd', 'e', 'f'].map(asPeerId);
const ADDRESSES = addressesOf(PEERS.join(' '));

const role = fc.constantFrom('voter', 'learner', 'none');
const settled = fc
  .array(role, { minLength: 6, maxLength: 6 })
  .filter((roles) => roles.includes('voter'))
  .map((roles) => {
    const inRole = (wanted: string): PeerId[] => PEERS.filter((_, at) => roles[at] === wanted);
    return makeConfiguration({ voters: inRole('voter'), learners: inRole('learner') }, ADDRESSES);
  });

function changeTo({ voters, learners, addresses }: Configuration) {
  const withAddress = (peers: readonly PeerId[]) =>
    new Map([...addresses].filter(([peer]) => peers.includes(peer)));
  return { voters: withAddress(voters), learners: withAddress(learners) };
}

function describeConfiguration(configuration: Configuration): string {
  const { voters, votersOutgoing, learners, learnersNext } = configuration;
  const parts = [voters, votersOutgoing, learners, learnersNext].map((list) => list.join(' '));
  return parts.join(' | ');
}

describe('the bytes of a configuration', () => {
  test('say all of it', () => {
    fc.assert(
      fc.property(settled, settled, (current, wanted) => {
        for (const each of [current, enterJoint(current, changeTo(wanted))]) {
          expect(decodeConfiguration(encodeConfiguration(each))).toEqual(each);
        }
      }),
    );
  });

  test('are refused when they are cut short, longer, or of another version', () => {
    const bytes = encodeConfiguration(configurationOf('a b', 'c'));
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeConfiguration(bytes.subarray(0, length))).toThrow('cut short');
    }
    expect(() => decodeConfiguration(new Uint8Array([...bytes, 0]))).toThrow('nothing follows');
    expect(() => decodeConfiguration(new Uint8Array([9, ...bytes.slice(1)]))).toThrow('version');
  });
});

test('a configuration is sorted, and knows the addresses of its members and of no others', () => {
  const made = makeConfiguration(
    { voters: ['c', 'a', 'c'].map(asPeerId), learners: [asPeerId('b')] },
    ADDRESSES,
  );
  expect(describeConfiguration(made)).toBe('a c |  | b | ');
  expect([...made.addresses.keys()]).toEqual(membersOf(made));
  expect(() => initialConfiguration(new Map())).toThrow('at least one voter');
});

describe('a change', () => {
  test.each([
    { from: 'a b c |  |  | ', to: 'a b c d', learners: '', joint: 'a b c d | a b c |  | ' },
    { from: 'a b c |  |  | ', to: 'a b', learners: '', joint: 'a b | a b c |  | ' },
    { from: 'a b c |  |  | ', to: 'a b', learners: 'c', joint: 'a b | a b c |  | c' },
    { from: 'a b c |  | d | ', to: 'a b d', learners: 'c', joint: 'a b d | a b c |  | c' },
    { from: 'a b c |  | d | ', to: 'a b d', learners: 'e', joint: 'a b d | a b c | e | ' },
    { from: 'a |  |  | ', to: 'b', learners: '', joint: 'b | a |  | ' },
    { from: 'a b c |  | d | ', to: 'd e f', learners: '', joint: 'd e f | a b c |  | ' },
  ])('from ($from) to voters ($to), learners ($learners) goes through ($joint)', (row) => {
    const [voters, , learners] = row.from.split('|');
    const current = configurationOf(voters, learners);
    const change = { voters: addressesOf(row.to), learners: addressesOf(row.learners) };
    expect(describeConfiguration(enterJoint(current, change))).toBe(row.joint);
  });

  test('that makes no sense is refused in words', () => {
    const current = configurationOf('a b c');
    const none = addressesOf('');
    expect(changeProblem(current, { voters: none, learners: none })).toMatch('at least one voter');
    const both = { voters: addressesOf('a b'), learners: addressesOf('b') };
    expect(changeProblem(current, both)).toMatch('b cannot be voter and learner');
    const joint = enterJoint(current, { voters: addressesOf('a'), learners: none });
    expect(changeProblem(joint, changeTo(current))).toMatch('left first');
    expect(changeProblem(current, changeTo(configurationOf('d')))).toBeUndefined();
  });

  test('ends where it was to end, and each step has a majority in common with the next', () => {
    fc.assert(
      fc.property(settled, settled, (current, wanted) => {
        const change = changeTo(wanted);
        const learning = addLearners(current, change);
        const joint = enterJoint(learning, change);
        const left = leaveJoint(joint);
        expect(left).toEqual(wanted);
        expect(isJoint(learning)).toBe(false);
        expect(learning.voters).toEqual(current.voters);
        for (const peer of newVoters(current, change)) expect(learning.learners).toContain(peer);
        expect(keepsVoters(current, change)).toBe(String(current.voters) === String(wanted.voters));
        expect(quorumsIntersect(learning, joint)).toBe(true);
        expect(quorumsIntersect(joint, left)).toBe(true);
        // Nobody votes and learns at once, and nobody who votes is left out of either half.
        for (const peer of joint.learners) expect(isVoter(joint, peer)).toBe(false);
        for (const peer of joint.learnersNext) expect(joint.votersOutgoing).toContain(peer);
        expect(joint.votersOutgoing).toEqual(current.voters);
      }),
      { numRuns: 150 },
    );
  });
});

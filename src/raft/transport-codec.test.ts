import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { OutputBuffer } from '../runtime/index.ts';
import { REQUEST, RequestReader } from '../resp/index.ts';
import { makeConfiguration } from './configuration.ts';
import { decodeMessage, encodeMessage, type Route } from './transport-codec.ts';
import {
  CHECKSUM_BYTES,
  parseHello,
  unframed,
  VERSION_MAX,
  writeHello,
  writeMessage,
} from './transport-frames.ts';
import {
  asClusterId,
  asIndex,
  asPeerId,
  asTerm,
  type Entry,
  type Message,
  type RefusalReason,
  type SnapshotMetadata,
} from './types.ts';

const ROUTE: Route = { cluster: asClusterId('green'), from: asPeerId('m1'), to: asPeerId('m2') };

const whole = fc.oneof(fc.nat(), fc.maxSafeNat());
const term = whole.map(asTerm);
const index = whole.map(asIndex);
const bytes = fc.uint8Array({ maxLength: 200 });
const peer = fc.constantFrom('a', 'b', 'c', 'd', 'peer-5', 'x.y:z_1').map(asPeerId);
const envelope = {
  cluster: fc.constant(ROUTE.cluster),
  from: fc.constant(ROUTE.from),
  to: fc.constant(ROUTE.to),
  term,
};

const entry: fc.Arbitrary<Entry> = fc.record({
  index,
  term,
  kind: fc.constantFrom('noop', 'data', 'configuration'),
  bytes,
});

const address = fc.record({ host: fc.string({ maxLength: 20 }), port: fc.nat(65535) });
const snapshot: fc.Arbitrary<SnapshotMetadata> = fc.record({
  index,
  term,
  sizeBytes: whole,
  checksum: fc.nat(2 ** 32 - 1),
  configuration: fc
    .record({ voters: fc.array(peer), next: fc.array(peer), learners: fc.array(peer), address })
    .map(({ voters, next, learners, address: where }) => {
      const members = { voters, votersOutgoing: next, learners, learnersNext: [] };
      const all = [...voters, ...next, ...learners];
      return makeConfiguration(members, new Map(all.map((each) => [each, where])));
    }),
});

const refusal = fc.constantFrom<RefusalReason | undefined>(
  undefined,
  'noLeader',
  'notLeader',
  'overloaded',
  'tooLarge',
  'transferring',
  'changePending',
  'invalidChange',
  'notMember',
  'stopped',
);

/** One for each kind of message: a kind that is missing does not compile. */
const byKind: { [Kind in Message['kind']]: fc.Arbitrary<Extract<Message, { kind: Kind }>> } = {
  preVote: fc.record({
    kind: fc.constant('preVote'),
    ...envelope,
    nextTerm: term,
    lastIndex: index,
    lastTerm: term,
  }),
  preVoteResponse: fc.record({
    kind: fc.constant('preVoteResponse'),
    ...envelope,
    nextTerm: term,
    granted: fc.boolean(),
  }),
  vote: fc.record({
    kind: fc.constant('vote'),
    ...envelope,
    lastIndex: index,
    lastTerm: term,
    transfer: fc.boolean(),
  }),
  voteResponse: fc.record({
    kind: fc.constant('voteResponse'),
    ...envelope,
    granted: fc.boolean(),
  }),
  append: fc.record({
    kind: fc.constant('append'),
    ...envelope,
    previousIndex: index,
    previousTerm: term,
    entries: fc.array(entry, { maxLength: 8 }),
    commit: index,
  }),
  appendAccepted: fc.record({ kind: fc.constant('appendAccepted'), ...envelope, match: index }),
  appendRejected: fc.record({
    kind: fc.constant('appendRejected'),
    ...envelope,
    previousIndex: index,
    hintIndex: index,
    hintTerm: term,
    lostEntries: fc.boolean(),
  }),
  heartbeat: fc.record({
    kind: fc.constant('heartbeat'),
    ...envelope,
    commit: index,
    readContext: whole,
  }),
  heartbeatResponse: fc.record({
    kind: fc.constant('heartbeatResponse'),
    ...envelope,
    readContext: whole,
  }),
  snapshotChunk: fc.record({
    kind: fc.constant('snapshotChunk'),
    ...envelope,
    snapshot,
    offset: whole,
    bytes,
  }),
  snapshotResponse: fc.record({
    kind: fc.constant('snapshotResponse'),
    ...envelope,
    index,
    nextOffset: whole,
  }),
  timeoutNow: fc.record({ kind: fc.constant('timeoutNow'), ...envelope }),
  propose: fc.record({
    kind: fc.constant('propose'),
    ...envelope,
    proposal: whole,
    commands: fc.array(bytes, { maxLength: 8 }),
  }),
  proposeResponse: fc.record({
    kind: fc.constant('proposeResponse'),
    ...envelope,
    proposal: whole,
    refused: refusal,
  }),
  readIndex: fc.record({ kind: fc.constant('readIndex'), ...envelope, readContext: whole }),
  readIndexResponse: fc.record({
    kind: fc.constant('readIndexResponse'),
    ...envelope,
    readContext: whole,
    index: fc.option(index, { nil: undefined }),
  }),
};
const message: fc.Arbitrary<Message> = fc.oneof(...Object.values<fc.Arbitrary<Message>>(byKind));

describe('a message', () => {
  test.each(Object.entries<fc.Arbitrary<Message>>(byKind))(
    'of kind %s comes out as it went in',
    (_kind, each) => {
      fc.assert(
        fc.property(each, (original) => {
          expect(decodeMessage(encodeMessage(original), ROUTE)).toEqual(original);
        }),
        { numRuns: 200 },
      );
    },
  );

  test('comes from whom the connection is with, whatever else', () => {
    const other: Route = { cluster: asClusterId('blue'), from: asPeerId('m8'), to: asPeerId('m9') };
    fc.assert(
      fc.property(message, (original) => {
        expect(decodeMessage(encodeMessage(original), other)).toEqual({ ...original, ...other });
      }),
    );
  });

  test('that is cut short or goes on too long is none', () => {
    fc.assert(
      fc.property(message, fc.nat(), bytes, (original, cut, more) => {
        const encoded = encodeMessage(original);
        expect(decodeMessage(encoded.subarray(0, cut % encoded.length), ROUTE)).toBeUndefined();
        fc.pre(more.length > 0);
        expect(decodeMessage(Buffer.concat([encoded, more]), ROUTE)).toBeUndefined();
      }),
    );
  });

  test('made of any bytes is a message that can be sent, or none; never an exception', () => {
    const mutation = fc.record({
      at: fc.nat(),
      byte: fc.nat(255),
      kind: fc.constantFrom('set', 'insert', 'remove'),
    });
    const mutated = fc
      .tuple(message, fc.array(mutation, { minLength: 1, maxLength: 4 }))
      .map(([original, mutations]) => {
        const encoded = [...encodeMessage(original)];
        for (const { at, byte, kind } of mutations) {
          const place = at % (encoded.length + 1);
          if (kind === 'set') encoded[place] = byte;
          else
            encoded.splice(place, kind === 'insert' ? 0 : 1, ...(kind === 'insert' ? [byte] : []));
        }
        return Uint8Array.from(encoded);
      });
    let decodedCount = 0;
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 100 })), (any) => {
        const decoded = decodeMessage(any, ROUTE);
        if (decoded === undefined) return;
        decodedCount += 1;
        expect(decodeMessage(encodeMessage(decoded), ROUTE)).toEqual(decoded);
      }),
      { numRuns: 20_000 },
    );
    expect(decodedCount).toBeGreaterThan(500);
  });

  test('that declares more than it has takes no memory for it', () => {
    const huge = encodeMessage({
      kind: 'propose',
      ...ROUTE,
      term: asTerm(1),
      proposal: 1,
      commands: [],
    });
    huge.set([0xff, 0xff, 0xff, 0xff], huge.length - 4);
    expect(decodeMessage(huge, ROUTE)).toBeUndefined();
  });
});

/** The second argument of the only request there. */
function framedIn(output: OutputBuffer): Uint8Array {
  const reader = new RequestReader();
  reader.push(output.bytes, 0, output.length);
  expect(reader.next()).toBe(REQUEST);
  const { argumentBytes, starts, ends } = reader.request;
  return argumentBytes.slice(starts[1], ends[1]);
}

describe('a frame', () => {
  const number = fc.nat(1_000_000);
  const nonce = fc.nat(2 ** 32 - 1);

  test('holds the message, for its place on its connection alone', () => {
    fc.assert(
      fc.property(
        bytes,
        nonce,
        number,
        fc.integer({ min: 1, max: 1000 }),
        (original, own, place, other) => {
          const output = new OutputBuffer(64);
          writeMessage(output, own, place, original);
          const framed = framedIn(output);
          expect(unframed(framed, own, place)).toEqual(original);
          fc.pre(original.length > 0);
          expect(unframed(framed, own, place + other)).toBeUndefined();
          expect(unframed(framed, (own + other) >>> 0, place)).toBeUndefined();
        },
      ),
    );
  });

  test('shows that any bit of it was altered', () => {
    fc.assert(
      fc.property(bytes, nonce, fc.nat(), (original, own, bit) => {
        const output = new OutputBuffer(64);
        writeMessage(output, own, 0, original);
        const framed = framedIn(output);
        framed[Math.floor(bit / 8) % framed.length] ^= 1 << (bit & 7);
        expect(unframed(framed, own, 0)).toBeUndefined();
        expect(unframed(framed.subarray(0, CHECKSUM_BYTES - 1), own, 0)).toBeUndefined();
      }),
    );
  });
});

describe('a greeting', () => {
  const store = '0123456789abcdef0123456789abcdef';
  const hello = {
    ...ROUTE,
    versionMin: 1,
    versionMax: VERSION_MAX,
    store,
    address: { host: 'h', port: 7 },
  };
  const args = (): string[] => {
    const output = new OutputBuffer(64);
    writeHello(output, hello);
    const reader = new RequestReader();
    reader.push(output.bytes, 0, output.length);
    expect(reader.next()).toBe(REQUEST);
    const { argumentBytes, argumentCount, starts, ends } = reader.request;
    return Array.from({ length: argumentCount }, (_, each) =>
      Buffer.from(argumentBytes.subarray(starts[each], ends[each])).toString(),
    );
  };

  test('is understood, also where a later version adds to it', () => {
    expect(parseHello(args())).toEqual(hello);
    expect(parseHello([...args(), 'more'])).toEqual(hello);
  });

  test('with anything else in a place is none', () => {
    for (const place of args().keys()) {
      const wrong = place === 7 ? [] : [args().with(place, ''), args().with(place, '\u0000')];
      if ([1, 2, 8].includes(place)) wrong.push(args().with(place, '-1'), args().with(place, 'x'));
      for (const each of wrong) {
        if (each[place] === '' && [1, 2, 8].includes(place)) continue;
        expect(parseHello(each)).toBeUndefined();
      }
    }
    expect(parseHello(args().slice(0, -1))).toBeUndefined();
  });
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeRequest } from '../resp/index.ts';
import { OutputBuffer } from '../runtime/index.ts';
import { speakerOf } from './shared-port.ts';

const bytesOf = (...args: string[]): Uint8Array<ArrayBuffer> => {
  const output = new OutputBuffer();
  encodeRequest(output, args);
  return new Uint8Array(output.view());
};

test('a peer is told from a client by its first request, wherever the bytes are cut', () => {
  const requests = [
    [bytesOf('RAFT.HELLO', '1', '1', 'cluster'), 'peer'],
    [bytesOf('CALL', '1', 'tenant.list', '{}'), 'client'],
    [bytesOf('PING'), 'client'],
    [bytesOf('RAFTING'), 'client'],
    [Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'client'],
    [Buffer.from('ping\r\n'), 'client'],
    [Buffer.from('*x\r\n$4\r\nRAFT.'), 'client'],
  ] as const;
  for (const [bytes, speaker] of requests) {
    const first = Array.from({ length: bytes.length + 1 }, (_, end) =>
      speakerOf(bytes.subarray(0, end)),
    );
    const decided = first.findIndex((said) => said !== undefined);
    expect(first.slice(0, decided).every((said) => said === undefined)).toBe(true);
    expect(new Set(first.slice(decided))).toEqual(new Set([speaker]));
  }
});

test('any bytes are decided after a few, and never for both', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 40, maxLength: 60 }), (bytes) => {
      expect(speakerOf(bytes)).toBeDefined();
    }),
  );
});

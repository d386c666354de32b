import { scrypt } from 'node:crypto';
import { SystemError, type Crypto } from '../ports.ts';

export const crypto: Crypto = {
  scrypt(secret, salt, length, { N, r, p }, done) {
    try {
      // In the thread pool of the process: the event loop goes on.
      scrypt(secret, salt, length, { N, r, p, maxmem: 256 * N * r }, (error, key) => {
        done(error === null ? undefined : new SystemError('EIO', error.message), key);
      });
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : 'bad cost';
      setImmediate(() => done(new SystemError('EINVAL', words), new Uint8Array(0)));
    }
  },
};

import { CachectlError } from '../../cluster/errors.ts';
import type { Address, SystemError } from '../../runtime/index.ts';
import { address } from './kinds.ts';

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'that is not allowed to this user',
  ENOTFOUND: 'no such host',
};

export function listenError(listen: Address, cause: SystemError): CachectlError {
  const reason = REASONS[cause.code] ?? cause.message;
  const message = `cannot listen on ${address.format(listen)}: ${reason}`;
  return new CachectlError('ERR_CACHECTL_LISTEN', message, { cause });
}

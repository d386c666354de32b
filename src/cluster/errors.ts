/**
 * Every error that a person or a program can meet, in one table: its code, what a process exits
 * with, what the HTTP side answers, and what to do. `docs/errors.md` is made of it.
 */

/** What a process of cachectl exits with. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  unreachable: 4,
  unhealthy: 5,
  conflict: 6,
  refused: 7,
  changesPending: 10,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_MEANINGS: Readonly<Record<ExitCode, string>> = {
  [EXIT.ok]: 'done',
  [EXIT.failed]: 'failed',
  [EXIT.usage]: 'the command line, or a setting, is wrong',
  [EXIT.notFound]: 'what was named does not exist',
  [EXIT.unreachable]: 'cannot connect, or timed out',
  [EXIT.unhealthy]: 'reachable and not healthy',
  [EXIT.conflict]: 'the state has moved on: a stale plan, not the leader',
  [EXIT.refused]: 'refused without --yes',
  [EXIT.changesPending]: 'changes are pending (--dry-run --exit-code)',
  [EXIT.interrupted]: 'interrupted',
};

export interface ErrorEntry {
  readonly exitCode: ExitCode;
  readonly httpStatus: number;
  /** When it happens. */
  readonly meaning: string;
  /** What to do about it. */
  readonly remedy: string;
}

export const ERRORS = {
  ERR_CACHECTL_FAILED: {
    exitCode: EXIT.failed,
    httpStatus: 500,
    meaning: 'The operation was carried out and did not succeed, or the program itself is wrong.',
    remedy: 'Read the message; where it speaks of an invariant, report it with the log.',
  },
  ERR_CACHECTL_LISTEN: {
    exitCode: EXIT.failed,
    httpStatus: 500,
    meaning: 'An address cannot be listened on: it is taken, not local, or not allowed.',
    remedy: 'Stop what holds the port, or give another address.',
  },
  ERR_CACHECTL_SERVER: {
    exitCode: EXIT.failed,
    httpStatus: 502,
    meaning: 'The server understood the call and answered with an error.',
    remedy: 'Read its words: out of memory, over a quota, or not the kind of value expected.',
  },
  ERR_CACHECTL_AUTH: {
    exitCode: EXIT.failed,
    httpStatus: 401,
    meaning: 'The server did not accept the tenant or its secret, or wants them.',
    remedy: 'Check the tenant, and whether its secret was rotated.',
  },
  ERR_CACHECTL_OVERLOADED: {
    exitCode: EXIT.failed,
    httpStatus: 503,
    meaning: 'As many calls to one node as are allowed are under way, so this one was not sent.',
    remedy: 'Send less at once, or find out why the node answers slowly.',
  },
  ERR_CACHECTL_CLOSED: {
    exitCode: EXIT.failed,
    httpStatus: 503,
    meaning: 'The client has been closed.',
    remedy: 'Make no calls after closing it.',
  },
  ERR_CACHECTL_USAGE: {
    exitCode: EXIT.usage,
    httpStatus: 400,
    meaning: 'A command, flag or argument is unknown, missing or in conflict with another.',
    remedy: 'See the help of the command.',
  },
  ERR_CACHECTL_VALUE: {
    exitCode: EXIT.usage,
    httpStatus: 400,
    meaning: 'A flag, environment variable, setting or field has a value that is not allowed.',
    remedy: 'Give it a value of the kind that the message names; --help shows examples.',
  },
  ERR_CACHECTL_CONFIG_FILE: {
    exitCode: EXIT.usage,
    httpStatus: 400,
    meaning: 'A configuration file cannot be read, is not YAML, or has an unknown setting.',
    remedy: 'The message names the file, and the line or the setting.',
  },
  ERR_CACHECTL_NOT_FOUND: {
    exitCode: EXIT.notFound,
    httpStatus: 404,
    meaning: 'What was named does not exist.',
    remedy: 'List what there is.',
  },
  ERR_CACHECTL_CONNECT: {
    exitCode: EXIT.unreachable,
    httpStatus: 503,
    meaning: 'No connection could be made, or it broke.',
    remedy: 'Check the address, and that the process there is running.',
  },
  ERR_CACHECTL_TIMEOUT: {
    exitCode: EXIT.unreachable,
    httpStatus: 504,
    meaning: 'No answer came in time. A write may have been carried out all the same.',
    remedy: 'Try again; where it lasts, look at the load and the network.',
  },
  ERR_CACHECTL_UNHEALTHY: {
    exitCode: EXIT.unhealthy,
    httpStatus: 503,
    meaning: 'What was asked about is reachable and not healthy.',
    remedy: 'The output names what is wrong.',
  },
  ERR_CACHECTL_CONFLICT: {
    exitCode: EXIT.conflict,
    httpStatus: 409,
    meaning: 'The state has changed since it was read, so nothing was done.',
    remedy: 'Read it anew, and decide again.',
  },
  ERR_CACHECTL_EXISTS: {
    exitCode: EXIT.conflict,
    httpStatus: 409,
    meaning: 'Something of that name exists already.',
    remedy: 'Choose another name, or update what there is.',
  },
  ERR_CACHECTL_NOT_LEADER: {
    exitCode: EXIT.conflict,
    httpStatus: 421,
    meaning: 'The meta peer that was asked does not lead, and could not pass the call on.',
    remedy: 'Try again: the message names the leader, or says that one is being elected.',
  },
  ERR_CACHECTL_NO_QUORUM: {
    exitCode: EXIT.unreachable,
    httpStatus: 503,
    meaning: 'No majority of the meta peers answered in time. A write may still be carried out.',
    remedy: 'The message names the peers that answered; start those that did not.',
  },
  ERR_CACHECTL_REFUSED: {
    exitCode: EXIT.refused,
    httpStatus: 428,
    meaning: 'The operation destroys something and was not confirmed.',
    remedy: 'Confirm at the prompt, or give --yes.',
  },
  ERR_CACHECTL_INTERRUPTED: {
    exitCode: EXIT.interrupted,
    httpStatus: 499,
    meaning: 'A signal or the caller ended it early.',
    remedy: 'None is needed.',
  },
} as const satisfies Record<`ERR_CACHECTL_${string}`, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

export interface CachectlErrorOptions {
  readonly cause?: unknown;
  readonly hint?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * What every part of cachectl throws at its users. The message names what was wrong, with the
 * value; `hint` says what to do where the table's remedy is too general.
 */
export class CachectlError extends Error {
  override readonly name: string = 'CachectlError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  /** For programs: what the message says, in parts. JSON. */
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: CachectlErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.hint = options.hint;
    this.details = options.details;
  }

  get exitCode(): ExitCode {
    return ERRORS[this.code].exitCode;
  }

  get httpStatus(): number {
    return ERRORS[this.code].httpStatus;
  }
}

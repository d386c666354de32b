import { pino } from 'pino';
import type { Log, LogLevel } from '../ports.ts';

export interface LogOptions {
  /** Words below this level are dropped. Default `info`. */
  level?: LogLevel | 'silent';
  /** `json` for machines, a line each; `text` for people. Default `text` on a terminal. */
  format?: 'json' | 'text';
}

/** A log on standard error: standard output is for data. Lines are written before `write` returns. */
export function createLog(options: LogOptions = {}): Log {
  const level = options.level ?? 'info';
  const format = options.format ?? (process.stderr.isTTY ? 'text' : 'json');
  if (format === 'text') return textLog(level);
  const logger = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  );
  return { write: (lineLevel, message, fields) => logger[lineLevel](fields ?? {}, message) };
}

const RANK: Readonly<Record<LogLevel | 'silent', number>> = {
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  silent: Infinity,
};

function textLog(level: LogLevel | 'silent'): Log {
  return {
    write(lineLevel, message, fields) {
      if (RANK[lineLevel] < RANK[level]) return;
      const time = new Date().toISOString().slice(11, 23);
      const pairs = Object.entries(fields ?? {})
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => ` ${name}=${String(value)}`);
      process.stderr.write(`${time} ${lineLevel.padEnd(5)} ${message}${pairs.join('')}\n`);
    },
  };
}

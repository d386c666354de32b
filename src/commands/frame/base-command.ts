import { Command, Errors, Flags } from '@oclif/core';
import { envelopeOfError, OUTPUT_FORMATS, render, serialize } from './output.ts';
import type { OutputFormat, Report } from './output.ts';
import { describeError, toCachectlError } from './failure.ts';

/** Flags of every command that reads something. */
export const outputFlags = {
  output: Flags.option({
    char: 'o',
    summary: 'Form of the output.',
    options: OUTPUT_FORMATS,
    default: 'table',
    helpGroup: 'GLOBAL',
  })(),
  json: Flags.boolean({
    summary: 'The same as -o json.',
    helpGroup: 'GLOBAL',
    exclusive: ['output'],
  }),
};

/**
 * What all commands share: one way to print, one way to warn, one way to fail.
 *
 * A failure ends the process with the exit code of its error; in `json` and `yaml` its envelope
 * is on stdout beside the words on stderr.
 */
export abstract class BaseCommand extends Command {
  #warnings: string[] = [];

  /** Prints a report in the form that the flags ask for. */
  protected async print(report: Report): Promise<void> {
    const text = await render(report, this.#format(), this.#warnings);
    process.stdout.write(text);
  }

  /** Words for whoever watches; never data. */
  protected say(words: string): void {
    process.stderr.write(`${words}\n`);
  }

  override warn(input: string | Error): string | Error {
    const words = typeof input === 'string' ? input : input.message;
    this.#warnings.push(words);
    this.say(`Warning: ${words}`);
    return input;
  }

  protected override async catch(thrown: Error): Promise<void> {
    if (thrown instanceof Errors.ExitError) throw thrown;
    const command = `${this.config.bin} ${(this.id ?? '').replaceAll(':', ' ')}`;
    const error = toCachectlError(thrown, command);
    const format = this.#format();
    if (format === 'json' || format === 'yaml') {
      process.stdout.write(await serialize(envelopeOfError(error, this.#warnings), format));
    }
    process.stderr.write(describeError(error));
    this.exit(error.exitCode);
  }

  /** Read from the words as they came, since a failure may come before they are parsed. */
  #format(): OutputFormat {
    const end = this.argv.indexOf('--');
    const words = end < 0 ? this.argv : this.argv.slice(0, end);
    if (words.includes('--json')) return 'json';
    for (const [at, word] of words.entries()) {
      const joined = /^(?:-o=?|--output=)(?<format>.+)$/.exec(word)?.groups?.['format'];
      const value = word === '-o' || word === '--output' ? words[at + 1] : joined;
      const format = OUTPUT_FORMATS.find((known) => known === value);
      if (format !== undefined) return format;
    }
    return 'table';
  }
}

/** All commands by name, found without making a string of the name in the request. */
import { invariant } from '../runtime/index.ts';
import { Command, type CommandSpec } from './command.ts';

const UPPER_TO_LOWER = 0x20;

export class CommandTable {
  readonly commands: readonly Command[];
  readonly #byName: ReadonlyMap<string, Command>;
  readonly #slots: Array<Command | undefined>;
  readonly #names: Uint8Array[];
  readonly #mask: number;

  constructor(specs: readonly CommandSpec[]) {
    this.commands = specs.map((spec) => new Command(spec));
    this.#byName = new Map(this.commands.map((command) => [command.spec.name, command]));
    invariant(this.#byName.size === specs.length, 'each command is in the table once');
    const size = 2 ** Math.ceil(Math.log2(specs.length * 4));
    this.#mask = size - 1;
    this.#slots = Array.from({ length: size }, () => undefined);
    this.#names = Array.from({ length: size }, () => new Uint8Array(0));
    for (const command of this.commands) this.#add(command);
  }

  /** Commands and subcommands; a container that does nothing itself is left out. */
  all(): Command[] {
    return this.commands
      .flatMap((command) => [command, ...command.subcommands.values()])
      .filter((command) => command.run !== undefined);
  }

  byName(name: string): Command | undefined {
    return this.#byName.get(name.toLowerCase());
  }

  /** The command named by `bytes[start, end)`, in whatever case. */
  find(bytes: Uint8Array, start: number, end: number): Command | undefined {
    let slot = hashName(bytes, start, end) & this.#mask;
    for (;;) {
      const command = this.#slots[slot];
      if (command === undefined || sameName(this.#names[slot], bytes, start, end)) return command;
      slot = (slot + 1) & this.#mask;
    }
  }

  #add(command: Command): void {
    const name = Buffer.from(command.spec.name, 'latin1');
    let slot = hashName(name, 0, name.length) & this.#mask;
    while (this.#slots[slot] !== undefined) slot = (slot + 1) & this.#mask;
    this.#slots[slot] = command;
    this.#names[slot] = name;
  }
}

function hashName(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let at = start; at < end; at++) hash = (hash * 31 + (bytes[at] | UPPER_TO_LOWER)) | 0;
  return hash ^ (hash >>> 7);
}

function sameName(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[start + i];
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | UPPER_TO_LOWER : byte;
    if (name[i] !== lower) return false;
  }
  return true;
}

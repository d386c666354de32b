/** Registers by name, replicated: what the history checker's register model describes. */
import type { RegisterInput, RegisterOutput } from '../../src/sim/linearizability-register.ts';
import type { StateMachine } from '../../src/raft/index.ts';

export interface RegisterCommand {
  readonly key: string;
  readonly input: RegisterInput;
}

function toBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

export class RegisterMachine implements StateMachine {
  values = new Map<string, string>();

  apply(bytes: Uint8Array): Uint8Array {
    const { key, input }: RegisterCommand = JSON.parse(new TextDecoder().decode(bytes));
    return toBytes(this.#change(key, input));
  }

  snapshot(): Iterable<Uint8Array> {
    return [toBytes([...this.values])];
  }

  restore(pieces: Iterable<Uint8Array>): void {
    this.values = new Map(JSON.parse(Buffer.concat([...pieces]).toString()));
  }

  #change(key: string, input: RegisterInput): RegisterOutput {
    const value = this.values.get(key);
    switch (input.kind) {
      case 'read':
        return { kind: 'read', value };
      case 'write':
        this.values.set(key, input.value);
        return { kind: 'write' };
      case 'delete':
        return { kind: 'delete', existed: this.values.delete(key) };
      case 'cas':
        if (value === input.expected) this.values.set(key, input.value);
        return { kind: 'cas', swapped: value === input.expected };
    }
  }
}

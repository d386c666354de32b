/** What a node counts, since it started or since `CONFIG RESETSTAT`. */
export class NodeStats {
  connections = 0;
  rejectedConnections = 0;
  disconnectedSlow = 0;
  disconnectedIdle = 0;
  commands = 0;
  errors = 0;
  protocolErrors = 0;
  inputBytes = 0;
  outputBytes = 0;
  clientsPeak = 0;
  memoryPeakBytes = 0;
  opsPerSecond = 0;
  /** Replies with an error, by its code. */
  readonly errorsByCode = new Map<string, number>();
  #commandsBefore = 0;
  #sampledAtUs = 0;

  reset(): void {
    this.connections = 0;
    this.rejectedConnections = 0;
    this.disconnectedSlow = 0;
    this.disconnectedIdle = 0;
    this.commands = 0;
    this.errors = 0;
    this.protocolErrors = 0;
    this.inputBytes = 0;
    this.outputBytes = 0;
    this.#commandsBefore = 0;
    this.errorsByCode.clear();
  }

  /** Called about ten times a second. */
  sample(nowUs: number, clients: number, memoryBytes: number): void {
    this.clientsPeak = Math.max(this.clientsPeak, clients);
    this.memoryPeakBytes = Math.max(this.memoryPeakBytes, memoryBytes);
    const elapsedUs = nowUs - this.#sampledAtUs;
    if (elapsedUs < 1_000_000) return;
    this.opsPerSecond = Math.round(((this.commands - this.#commandsBefore) * 1e6) / elapsedUs);
    this.#commandsBefore = this.commands;
    this.#sampledAtUs = nowUs;
  }
}

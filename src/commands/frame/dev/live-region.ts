/**
 * The last lines of a terminal, drawn over and over in place: each time in one write, and only
 * where something has changed, so nothing flickers. What stands above them stays.
 */
import type { WriteStream } from 'node:tty';

const CLEAR_LINE_END = '\u001B[K';
const CLEAR_BELOW = '\u001B[J';
const HIDE_CURSOR = '\u001B[?25l';
const SHOW_CURSOR = '\u001B[?25h';
/** Terminals that know it show what lies between the two at once; others pass over it. */
const BEGIN_UPDATE = '\u001B[?2026h';
const END_UPDATE = '\u001B[?2026l';

export class LiveRegion {
  readonly #terminal: WriteStream;
  #lines: readonly string[] = [];
  #wanted: readonly string[] = [];
  readonly #onResize = () => this.#redraw();

  constructor(terminal: WriteStream) {
    this.#terminal = terminal;
    terminal.write(HIDE_CURSOR);
    terminal.on('resize', this.#onResize);
  }

  /** Lines that do not fit, and ends of lines that do not, are left out. */
  draw(lines: readonly string[]): void {
    this.#wanted = lines;
    const { rows, columns } = this.#terminal;
    const shown = lines.slice(0, rows - 1).map((line) => clip(line, columns));
    if (shown.length === this.#lines.length && shown.every((line, i) => line === this.#lines[i])) {
      return;
    }
    const body = shown.map((line) => line + CLEAR_LINE_END).join('\r\n');
    this.#terminal.write(`${BEGIN_UPDATE}${this.#toTop()}${body}${CLEAR_BELOW}${END_UPDATE}`);
    this.#lines = shown;
  }

  /** Leaves the last picture where it is, and the cursor below it. */
  end(): void {
    this.#terminal.off('resize', this.#onResize);
    this.#terminal.write(`${this.#lines.length > 0 ? '\r\n' : ''}${SHOW_CURSOR}`);
    this.#lines = [];
  }

  #toTop(): string {
    const up = this.#lines.length - 1;
    return up > 0 ? `\r\u001B[${up}A` : '\r';
  }

  /** Lines may have been broken anew: nobody knows where they begin now. */
  #redraw(): void {
    this.#terminal.write('\u001B[2J\u001B[H');
    this.#lines = [];
    this.draw(this.#wanted);
  }
}

/** The line's first `columns` characters; colours take no room, and end with it. */
export function clip(line: string, columns: number): string {
  let room = columns;
  let clipped = '';
  let hasColour = false;
  // oxlint-disable-next-line no-control-regex -- escapes are what it looks for
  for (const piece of line.split(/(\u001B\[[\d;]*m)/)) {
    if (piece.startsWith('\u001B')) {
      hasColour = true;
      clipped += piece;
    } else {
      clipped += piece.slice(0, room);
      room -= Math.min(room, piece.length);
    }
  }
  return hasColour && room === 0 ? `${clipped}\u001B[0m` : clipped;
}

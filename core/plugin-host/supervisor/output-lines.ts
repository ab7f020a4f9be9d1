import type { Readable } from 'node:stream';
import { hideKeyLines } from '#core/telemetry/secret-texts.ts';

const lineMaxLength = 2048;
const linesPerSecondMax = 100;
const tailLines = 20;
const windowMs = 1000;

export interface OutputLines {
  /** The last lines, for the death record. */
  tail(): string;
}

/**
 * What a plugin's process writes to its standard output and error, line by line: lines are cut at a length, and above
 * a rate they are counted instead of passed on. Nothing is kept for a line longer than that. Lines of a private key are not
 * shown.
 */
export function readOutputLines(options: {
  readonly stream: Readable;
  readonly onLine: (line: string) => void;
  readonly onDropped: (lines: number) => void;
  readonly now: () => number;
}): OutputLines {
  const { stream } = options;
  const withoutKey = hideKeyLines();
  let partial = '';
  let last: string[] = [];
  let windowStartMs = options.now();
  let lines = 0;
  let dropped = 0;
  let report: NodeJS.Timeout | undefined;

  /** By a timer: after a flood there may be no further line that would bring it to light. */
  function reportDropped(): void {
    clearTimeout(report);
    if (dropped > 0) options.onDropped(dropped);
    dropped = 0;
  }

  function emit(written: string): void {
    const line = withoutKey(written);
    last = [...last.slice(1 - tailLines), line];
    const nowMs = options.now();
    if (nowMs - windowStartMs >= windowMs) {
      windowStartMs = nowMs;
      lines = 0;
      reportDropped();
    }
    lines += 1;
    if (lines <= linesPerSecondMax) options.onLine(line);
    else {
      dropped += 1;
      if (dropped === 1) report = setTimeout(reportDropped, windowMs).unref();
    }
  }

  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const parts = text.split('\n');
    for (const [index, part] of parts.entries()) {
      partial = (partial + part.slice(0, lineMaxLength)).slice(0, lineMaxLength);
      if (index === parts.length - 1) break;
      if (partial !== '') emit(partial);
      partial = '';
    }
  });
  stream.on('end', () => {
    if (partial !== '') emit(partial);
    reportDropped();
  });
  stream.on('error', () => stream.destroy());
  return { tail: () => last.join('\n') };
}

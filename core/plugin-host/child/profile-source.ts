import { SourceMap } from 'node:module';
import type { ChildCode } from './boot.ts';

interface CallFrame {
  url: string;
  /** From 0. */
  lineNumber: number;
  /** From 0. */
  columnNumber: number;
}

interface PositionTick {
  /** From 1. */
  line: number;
}

export interface ProfileNode {
  id: number;
  children?: number[];
  hitCount?: number;
  callFrame: CallFrame;
  positionTicks?: PositionTick[];
}

/** The engine's profile tells positions in the bundle: from here on they are those of the files that were bundled. */
export function toSourcePositions(nodes: readonly ProfileNode[], url: string, map: string): void {
  const sourceMap = new SourceMap(JSON.parse(Buffer.from(map, 'base64').toString()) as SourceMap['payload']);
  for (const { callFrame, positionTicks = [] } of nodes) {
    if (callFrame.url !== url) continue;
    for (const tick of positionTicks) {
      const found = sourceMap.findEntry(tick.line - 1, 0);
      if ('originalLine' in found) tick.line = found.originalLine + 1;
    }
    const found = sourceMap.findEntry(callFrame.lineNumber, callFrame.columnNumber);
    if (!('originalSource' in found)) continue;
    callFrame.url = found.originalSource;
    callFrame.lineNumber = found.originalLine;
    callFrame.columnNumber = found.originalColumn;
  }
}

/** The map in the last line of a bundle, in base64; empty where there is none. */
export function mapOf({ code }: ChildCode): string {
  const begin = code.lastIndexOf('\n//# sourceMappingURL=');
  return begin === -1 ? '' : code.slice(code.indexOf(',', begin) + 1);
}

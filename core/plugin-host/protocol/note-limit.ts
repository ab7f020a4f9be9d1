export interface NoteLimit {
  /** Counts one note; false when it is one too many of this second and is to be dropped. */
  take(bytes: number): boolean;
  readonly dropped: number;
}

const bytesPerSecondMax = 16_777_216;
const floodWindowMs = 10_000;
/** As many seconds' worth of notes dropped within the window is no burst any more. */
const floodSeconds = 10;

/**
 * Bounds what nobody waits for. Calls bound themselves, since their answers are awaited; notes would cost the receiver
 * as much as the sender cares to send. Who goes on far beyond is reported once, as a flood.
 */
export function createNoteLimit(options: {
  readonly notesPerSecondMax: number;
  readonly onFlood: (dropped: number) => void;
  /** Milliseconds, of any origin. */
  readonly now: () => number;
}): NoteLimit {
  let secondEndsAtMs = 0;
  let windowEndsAtMs = 0;
  let notes = 0;
  let bytes = 0;
  let dropped = 0;
  let droppedInWindow = 0;
  let flooded = false;

  function drop(nowMs: number): void {
    if (nowMs >= windowEndsAtMs) {
      windowEndsAtMs = nowMs + floodWindowMs;
      droppedInWindow = 0;
    }
    dropped += 1;
    droppedInWindow += 1;
    if (flooded || droppedInWindow <= floodSeconds * options.notesPerSecondMax) return;
    flooded = true;
    options.onFlood(droppedInWindow);
  }

  return {
    get dropped() {
      return dropped;
    },
    take(noteBytes) {
      const nowMs = options.now();
      if (nowMs >= secondEndsAtMs) {
        secondEndsAtMs = nowMs + 1000;
        notes = 0;
        bytes = 0;
      }
      notes += 1;
      bytes += noteBytes;
      if (notes <= options.notesPerSecondMax && bytes <= bytesPerSecondMax) return true;
      drop(nowMs);
      return false;
    },
  };
}

import type { Socket } from 'node:net';
import { checkControlFrame, type ControlFrame } from '../protocol/control-frame.ts';
import { createFrameDecoder } from '../protocol/frame-codec.ts';
import { ProtocolViolation } from '../protocol/protocol-violation.ts';

const frameMaxBytes = 2_097_152;
const framesPerSecondMax = 100;
const bytesPerSecondMax = 4_194_304;

/** Reads descriptor 4 as what it is: bytes of a process in which hostile code runs. Bounded in size, kind and rate. */
export function readControl(options: {
  readonly socket: Socket;
  readonly now: () => number;
  readonly onFrame: (frame: ControlFrame) => void;
  readonly onViolation: (violation: ProtocolViolation) => void;
}): void {
  const { socket } = options;
  let windowStartMs = options.now();
  let frames = 0;
  let bytes = 0;
  let over = false;

  const decoder = createFrameDecoder({
    frameMaxBytes,
    onFrame(value) {
      frames += 1;
      if (frames > framesPerSecondMax)
        throw new ProtocolViolation(`more than ${framesPerSecondMax} reports in a second`);
      options.onFrame(checkControlFrame(value));
    },
  });

  function count(chunk: Buffer): void {
    const nowMs = options.now();
    if (nowMs - windowStartMs >= 1000) {
      windowStartMs = nowMs;
      frames = 0;
      bytes = 0;
    }
    bytes += chunk.length;
    if (bytes > bytesPerSecondMax)
      throw new ProtocolViolation(`more than ${bytesPerSecondMax} bytes of reports in a second`);
  }

  socket.on('data', (chunk: Buffer) => {
    if (over) return;
    try {
      count(chunk);
      decoder.push(chunk);
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      over = true;
      options.onViolation(error);
    }
  });
  socket.on('error', () => socket.destroy());
}

import type { Socket } from 'node:net';
import type { ControlFrame, EndFrame } from '../protocol/control-frame.ts';
import { createFrameEncoder } from '../protocol/frame-codec.ts';

export interface Control {
  send(frame: ControlFrame): void;
  /** Sends the last frame and ends the process when it has left. */
  end(frame: EndFrame): void;
  /** Ends the process now. */
  kill(): void;
}

const frameMaxBytes = 2_097_152;
/** Samples are worth nothing later: while the core does not read, they are left out. */
const unsentMaxBytes = 65_536;

export function connectControl(socket: Socket): Control {
  const encoder = createFrameEncoder({ frameMaxBytes, write: (chunk) => socket.write(chunk) });

  function kill(): void {
    process.kill(process.pid, 'SIGKILL');
  }

  // The core is gone or wants this process to end. The plugin's thread may be looping: only a signal is certain.
  socket.on('end', kill);
  socket.on('close', kill);
  socket.on('error', kill);
  socket.resume();

  return {
    send(frame) {
      if (socket.writableLength < unsentMaxBytes) encoder.send(frame);
    },
    end(frame) {
      encoder.send(frame);
      // process.exit() would wait for the thread to be torn down, and what ended it may prevent that.
      setImmediate(() => socket.end(kill));
    },
    kill,
  };
}

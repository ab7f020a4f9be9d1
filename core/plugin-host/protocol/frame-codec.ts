import { ProtocolViolation } from './protocol-violation.ts';

const headerBytes = 4;

export interface FrameEncoder {
  /** Queues a frame for the one write of this tick. Throws a RangeError when it is larger than the cap. */
  send(frame: unknown): void;
}

/** Length-prefixed JSON: everything sent in one tick leaves in one write. */
export function createFrameEncoder(options: {
  readonly frameMaxBytes: number;
  readonly write: (chunk: Buffer) => void;
}): FrameEncoder {
  let texts: string[] = [];
  let sizes: number[] = [];
  let total = 0;

  function flush(): void {
    const chunk = Buffer.allocUnsafe(total);
    let offset = 0;
    for (const [index, text] of texts.entries()) {
      offset = chunk.writeUInt32BE(sizes[index] ?? 0, offset);
      offset += chunk.write(text, offset, 'utf8');
    }
    texts = [];
    sizes = [];
    total = 0;
    options.write(chunk);
  }

  return {
    send(frame) {
      const text = JSON.stringify(frame);
      const bytes = Buffer.byteLength(text);
      if (bytes > options.frameMaxBytes) {
        throw new RangeError(`the frame is ${bytes} bytes: at most ${options.frameMaxBytes} are allowed`);
      }
      if (texts.length === 0) process.nextTick(flush);
      texts.push(text);
      sizes.push(bytes);
      total += headerBytes + bytes;
    },
  };
}

export interface FrameDecoder {
  /** Throws a ProtocolViolation at the first frame that cannot be read. */
  push(chunk: Buffer): void;
  /** Until `resume()` the frames that have arrived wait in the decoder; the caller stops feeding it. */
  pause(): void;
  resume(): void;
}

/**
 * Reads length-prefixed JSON incrementally. The cap is checked on the length, before a byte of the frame is kept, and
 * a frame that arrives in many pieces is joined once.
 */
export function createFrameDecoder(options: {
  readonly frameMaxBytes: number;
  readonly onFrame: (frame: unknown) => void;
}): FrameDecoder {
  let pieces: Buffer[] = [];
  let buffered = 0;
  let needed = headerBytes;
  let paused = false;
  let running = false;

  function join(): Buffer {
    const [only] = pieces;
    const joined = pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces, buffered);
    pieces = [];
    buffered = 0;
    return joined;
  }

  function keep(rest: Buffer): void {
    if (rest.length === 0) return;
    pieces.push(rest);
    buffered += rest.length;
  }

  function read(data: Buffer): number {
    let offset = 0;
    needed = headerBytes;
    while (!paused && data.length - offset >= headerBytes) {
      const length = data.readUInt32BE(offset);
      if (length > options.frameMaxBytes) {
        throw new ProtocolViolation(`it is ${length} bytes, at most ${options.frameMaxBytes} are allowed`);
      }
      needed = headerBytes + length;
      if (data.length - offset < needed) break;
      offset += needed;
      needed = headerBytes;
      options.onFrame(parseJson(data.toString('utf8', offset - length, offset)));
    }
    return offset;
  }

  function run(): void {
    if (running) return;
    running = true;
    try {
      while (!paused && buffered >= needed) {
        const data = join();
        const consumed = read(data);
        keep(consumed === 0 ? data : data.subarray(consumed));
        if (consumed === 0) break;
      }
    } finally {
      running = false;
    }
  }

  return {
    push(chunk) {
      keep(chunk);
      run();
    },
    pause() {
      paused = true;
    },
    resume() {
      if (!paused) return;
      paused = false;
      needed = headerBytes;
      run();
    },
  };
}

// JSON.parse makes `__proto__` an own property; a later merge by assignment would then reach a prototype. Such keys are
// dropped, and only texts that could hold one (also written with escapes) pay for the slower parse.
const mayHoldProto = /__proto__|\\u00/i;

function parseJson(text: string): unknown {
  try {
    return mayHoldProto.test(text) ? JSON.parse(text, withoutProto) : JSON.parse(text);
  } catch {
    throw new ProtocolViolation('it is not JSON');
  }
}

function withoutProto(this: unknown, key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value;
}

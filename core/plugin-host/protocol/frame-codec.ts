import { setImmediate } from 'node:timers';
import { ProtocolViolation } from './protocol-violation.ts';

const headerBytes = 4;
/** UTF-8 takes at most three bytes for one unit of a JavaScript string. */
const bytesPerUnitMax = 3;
const slabBytes = 65_536;
/** One write takes so many frames at most: the other side then works on the first while this one makes the next. */
const writeFramesMax = 32;

export interface FrameEncoder {
  /**
   * Queues a frame for the next write; those that may be joined become one array, which costs both sides half as much.
   * Throws a RangeError when it is larger than the cap.
   */
  send(frame: unknown, options?: { readonly join?: boolean }): void;
}

/**
 * Length-prefixed JSON. What is sent in one turn of the event loop leaves together, after all that had arrived was looked
 * at: a write costs more than what is in it.
 */
export function createFrameEncoder(options: {
  readonly frameMaxBytes: number;
  readonly write: (chunk: Buffer) => void;
}): FrameEncoder {
  let slab: Buffer = Buffer.allocUnsafeSlow(slabBytes);
  /** What is written of the slab, and what of it has been handed on. */
  let filled = 0;
  let handedOn = 0;
  let frames = 0;
  /** The texts of the array being made, with commas, and how many they are. */
  let joined = '';
  let joinedCount = 0;
  const joinedMaxLength = Math.min(slabBytes, options.frameMaxBytes) / bytesPerUnitMax - 2;

  function flush(): void {
    seal();
    frames = 0;
    const chunk = slab.subarray(handedOn, filled);
    handedOn = filled;
    // A slab that one large frame needed is not kept.
    if (slab.length > slabBytes) {
      slab = Buffer.alloc(0);
      filled = handedOn = 0;
    }
    if (chunk.length > 0) options.write(chunk);
  }

  /** The rest of the slab when it is large enough; what was handed on is still being written from and stays as it is. */
  function reserve(bytes: number): void {
    if (slab.length - filled >= bytes) return;
    const next = Buffer.allocUnsafeSlow(Math.max(slabBytes, filled - handedOn + bytes));
    filled = slab.copy(next, 0, handedOn, filled);
    slab = next;
    handedOn = 0;
  }

  function append(text: string): void {
    const roomy = text.length * bytesPerUnitMax;
    reserve(headerBytes + (roomy <= slabBytes ? roomy : Buffer.byteLength(text)));
    const written = slab.write(text, filled + headerBytes, 'utf8');
    slab.writeUInt32BE(written, filled);
    filled += headerBytes + written;
  }

  function seal(): void {
    if (joinedCount > 0) append(joinedCount === 1 ? joined : `[${joined}]`);
    joined = '';
    joinedCount = 0;
  }

  return {
    send(frame, { join = false } = {}) {
      const text = JSON.stringify(frame);
      if (text.length * bytesPerUnitMax > options.frameMaxBytes && Buffer.byteLength(text) > options.frameMaxBytes) {
        const what = `the frame is ${Buffer.byteLength(text)} bytes`;
        throw new RangeError(`${what}: at most ${options.frameMaxBytes} are allowed`);
      }
      if (frames === 0) setImmediate(flush);
      if (!join || joined.length + 1 + text.length > joinedMaxLength) seal();
      if (join && text.length <= joinedMaxLength) {
        joined = joinedCount === 0 ? text : `${joined},${text}`;
        joinedCount += 1;
      } else append(text);
      frames += 1;
      if (frames >= writeFramesMax) flush();
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

export interface FrameDecoderOptions {
  readonly frameMaxBytes: number;
  readonly onFrame: (frame: unknown) => void;
  /** Whether a frame is let fall unread, by its first bytes and its size. @default none is */
  readonly skip?: (data: Buffer, start: number, bytes: number) => boolean;
}

/**
 * Reads length-prefixed JSON incrementally. The cap is checked on the length, before a byte of the frame is kept, and
 * a frame that arrives in many pieces is joined once.
 */
export function createFrameDecoder(options: FrameDecoderOptions): FrameDecoder {
  return new FrameReader(options);
}

class FrameReader implements FrameDecoder {
  readonly #options: FrameDecoderOptions;
  #pieces: Buffer[] = [];
  #buffered = 0;
  #needed = headerBytes;
  #paused = false;
  #running = false;
  /** The rest of an array whose frames are being handed out. */
  #array: readonly unknown[] = [];
  #next = 0;

  constructor(options: FrameDecoderOptions) {
    this.#options = options;
  }

  push(chunk: Buffer): void {
    this.#keep(chunk);
    this.#run();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#needed = headerBytes;
    this.#run();
  }

  #run(): void {
    if (this.#running) return;
    this.#running = true;
    try {
      this.#handOut();
      while (!this.#paused && this.#buffered >= this.#needed) {
        const data = this.#join();
        const consumed = this.#read(data);
        this.#keep(consumed === 0 ? data : data.subarray(consumed));
        if (consumed === 0) break;
      }
    } finally {
      this.#running = false;
    }
  }

  #join(): Buffer {
    const [only] = this.#pieces;
    const joined = this.#pieces.length === 1 && only !== undefined ? only : Buffer.concat(this.#pieces, this.#buffered);
    this.#pieces = [];
    this.#buffered = 0;
    return joined;
  }

  #keep(rest: Buffer): void {
    if (rest.length === 0) return;
    this.#pieces.push(rest);
    this.#buffered += rest.length;
  }

  /** @returns how many bytes of `data` are done with */
  #read(data: Buffer): number {
    const { frameMaxBytes, skip, onFrame } = this.#options;
    let offset = 0;
    this.#needed = headerBytes;
    while (!this.#paused && data.length - offset >= headerBytes) {
      const length = data.readUInt32BE(offset);
      if (length > frameMaxBytes) {
        throw new ProtocolViolation(`it is ${length} bytes, at most ${frameMaxBytes} are allowed`);
      }
      this.#needed = headerBytes + length;
      if (data.length - offset < this.#needed) break;
      const start = offset + headerBytes;
      offset += this.#needed;
      this.#needed = headerBytes;
      if (skip?.(data, start, length) === true) continue;
      const value = parseJson(data.toString('utf8', start, offset));
      if (Array.isArray(value) && value.length > 0) this.#handOut(value);
      else onFrame(value);
    }
    return offset;
  }

  #handOut(array = this.#array): void {
    if (array !== this.#array) this.#next = 0;
    this.#array = array;
    while (!this.#paused && this.#next < array.length) this.#options.onFrame(array[this.#next++]);
    if (this.#next >= array.length) this.#array = [];
  }
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

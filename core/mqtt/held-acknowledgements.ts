interface Held {
  /** As the library has written it; `own` when it is ours to write; absent until the library has written it. */
  frame?: Buffer | 'own';
  released: boolean;
}

export interface HeldAcknowledgementsOptions {
  /** Acknowledge in the order of receipt, as a client must [MQTT-4.6.0-2]; a server need not. */
  readonly ordered: boolean;
  /** Acknowledgements that may leave now. */
  readonly send: (frames: Buffer) => void;
}

interface Ready {
  readonly messageId: number;
  readonly frame: Buffer | 'own';
}

/** Fixed header, remaining length, message id: the same in MQTT 3.1.1 and, for success, in MQTT 5 [§3.4.2.1]. */
const ownBytes = 4;
const pubackHead = 0x40_02;

/**
 * Acknowledgements of one connection that wait for their message to be committed.
 * Invariant: the acknowledgement of a registered message leaves once it is both written and released.
 */
export class HeldAcknowledgements {
  readonly #options: HeldAcknowledgementsOptions;
  readonly #held = new Map<number, Held>();
  #ready: Ready[] = [];
  #isDue = false;

  constructor(options: HeldAcknowledgementsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#held.size;
  }

  has(messageId: number): boolean {
    return this.#held.has(messageId);
  }

  /** Whether nobody has to write its acknowledgement any more. */
  isWritten(messageId: number): boolean {
    return this.#held.get(messageId)?.frame !== undefined;
  }

  register(messageId: number): void {
    this.#held.set(messageId, { released: false });
  }

  /** A message that the library never sees: its PUBACK is written here. */
  registerOwn(messageId: number): void {
    this.#held.set(messageId, { frame: 'own', released: false });
  }

  /** Takes what the library wrote; false when nothing waits for it. */
  write(messageId: number, frame: Buffer): boolean {
    const held = this.#held.get(messageId);
    if (held === undefined) return false;
    held.frame = frame;
    this.#changed(messageId, held);
    return true;
  }

  release(messageId: number): void {
    const held = this.#held.get(messageId);
    if (held === undefined) return;
    held.released = true;
    this.#changed(messageId, held);
  }

  clear(): void {
    this.#held.clear();
  }

  #changed(messageId: number, { released, frame }: Held): void {
    if (!released || frame === undefined) return;
    if (!this.#options.ordered) this.#take(messageId, frame);
    // A batch releases many at once: they are looked through once, and leave in one write.
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => this.#sendReady());
  }

  #take(messageId: number, frame: Buffer | 'own'): void {
    this.#held.delete(messageId);
    this.#ready.push({ messageId, frame });
  }

  #sendReady(): void {
    this.#isDue = false;
    if (this.#options.ordered) {
      for (const [messageId, { released, frame }] of this.#held) {
        if (!released || frame === undefined) break;
        this.#take(messageId, frame);
      }
    }
    const ready = this.#ready;
    if (ready.length === 0) return;
    this.#ready = [];
    this.#options.send(join(ready));
  }
}

function join(ready: readonly Ready[]): Buffer {
  const bytes = ready.reduce((sum, { frame }) => sum + (frame === 'own' ? ownBytes : frame.length), 0);
  const joined = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const { messageId, frame } of ready) {
    if (frame === 'own') {
      at = joined.writeUInt16BE(pubackHead, at);
      at = joined.writeUInt16BE(messageId, at);
    } else at += frame.copy(joined, at);
  }
  return joined;
}

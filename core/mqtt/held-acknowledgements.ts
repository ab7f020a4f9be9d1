interface Held {
  /** The acknowledgement as it was written; absent until the library has written it. */
  frame?: Buffer;
  released: boolean;
}

export interface HeldAcknowledgementsOptions {
  /** Acknowledge in the order of receipt, as a client must [MQTT-4.6.0-2]; a server need not. */
  readonly ordered: boolean;
  /** Acknowledgements that may leave now. */
  readonly send: (frames: readonly Buffer[]) => void;
}

/**
 * Acknowledgements of one connection that wait for their message to be committed.
 * Invariant: the acknowledgement of a registered message leaves once it is both written and released.
 */
export class HeldAcknowledgements {
  readonly #options: HeldAcknowledgementsOptions;
  readonly #held = new Map<number, Held>();
  #ready: Buffer[] = [];

  constructor(options: HeldAcknowledgementsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#held.size;
  }

  has(messageId: number): boolean {
    return this.#held.has(messageId);
  }

  register(messageId: number): void {
    this.#held.set(messageId, { released: false });
  }

  /** Takes what the library wrote; false when nothing waits for it. */
  write(messageId: number, frame: Buffer): boolean {
    const held = this.#held.get(messageId);
    if (held === undefined) return false;
    held.frame = frame;
    this.#sendReady(messageId, held);
    return true;
  }

  release(messageId: number): void {
    const held = this.#held.get(messageId);
    if (held === undefined) return;
    held.released = true;
    this.#sendReady(messageId, held);
  }

  clear(): void {
    this.#held.clear();
  }

  #sendReady(messageId: number, changed: Held): void {
    if (!changed.released || changed.frame === undefined) return;
    if (!this.#options.ordered) return this.#send(messageId, changed.frame);
    for (const [id, held] of this.#held) {
      if (!held.released || held.frame === undefined) return;
      this.#send(id, held.frame);
    }
  }

  #send(messageId: number, frame: Buffer): void {
    this.#held.delete(messageId);
    // A batch releases many at once: they leave in one write.
    if (this.#ready.push(frame) > 1) return;
    queueMicrotask(() => {
      const frames = this.#ready;
      this.#ready = [];
      this.#options.send(frames);
    });
  }
}

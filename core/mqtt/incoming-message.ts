export interface IncomingMessageOptions {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  readonly username: string | null;
  readonly receivedAtMs: number;
  readonly retained: boolean;
  readonly duplicate: boolean;
  /** Called once: when every subscription is done with the message (`acknowledge`), or when its connection is gone. */
  readonly onEnd: (acknowledge: boolean) => void;
}

/**
 * One message between its arrival and its acknowledgement. Invariant: `onEnd` runs exactly once, after which the message
 * is `gone` for everybody who still holds it.
 */
export class IncomingMessage {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  readonly username: string | null;
  readonly receivedAtMs: number;
  readonly retained: boolean;
  readonly duplicate: boolean;
  readonly #onEnd: (acknowledge: boolean) => void;
  #claims = 0;
  #gone = false;
  #holders: ((message: IncomingMessage) => void)[] = [];

  constructor(options: IncomingMessageOptions) {
    this.topic = options.topic;
    this.payload = options.payload;
    this.qos = options.qos;
    this.username = options.username;
    this.receivedAtMs = options.receivedAtMs;
    this.retained = options.retained;
    this.duplicate = options.duplicate;
    this.#onEnd = options.onEnd;
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** Each subscription that takes the message claims it; it is acknowledged when all of them have settled it. */
  claim(onGone: (message: IncomingMessage) => void): void {
    this.#claims += 1;
    this.#holders.push(onGone);
  }

  settle(): void {
    this.#claims -= 1;
    if (this.#claims <= 0) this.#end(true);
  }

  /** Its connection is gone: nobody waits for the acknowledgement, the sender will send it again. */
  abandon(): void {
    if (this.#gone) return;
    const holders = this.#holders;
    this.#end(false);
    for (const holder of holders) holder(this);
  }

  #end(acknowledge: boolean): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#holders = [];
    this.#onEnd(acknowledge);
  }
}

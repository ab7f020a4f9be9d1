import { connect, type Socket } from 'node:net';
import {
  createAcknowledgementReader,
  disconnectPacket,
  pingPacket,
  writeConnect,
  writePublishes,
  type Publish,
} from './packets.ts';

export interface SenderOptions {
  readonly url: string;
  readonly driverId: string;
  readonly username: string;
  readonly password: string;
  readonly onAcknowledged: (latencyMs: number) => void;
  readonly onReady: () => void;
  /** The time of each fix, in epoch milliseconds: strictly growing. */
  readonly nextTimeMs: () => number;
  readonly latOf: (timeMs: number) => string;
}

interface Open {
  readonly payload: string;
  readonly sentAtMs: number;
}

const reconnectMs = 100;
const pingMs = 20_000;
const idsMax = 65_535;
const readBytes = 16_384;

/** One device's connection. What has no PUBACK is sent again after a reconnect, oldest first. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #topic: Buffer;
  readonly #open = new Map<number, Open>();
  readonly #pinging: NodeJS.Timeout;
  #socket: Socket | undefined;
  #id = 0;
  #closed = false;
  #readsInTurns = false;
  connected = false;
  sent = 0;
  reconnects = -1;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#topic = Buffer.from(`drivers/${options.driverId}/location`);
    this.#pinging = setInterval(() => this.connected && this.#socket?.write(pingPacket), pingMs);
    this.#connect();
  }

  get open(): number {
    return this.#open.size;
  }

  /** Sends so many new fixes in one write. */
  send(count: number): void {
    if (!this.connected) return;
    const messages: Publish[] = [];
    const sentAtMs = performance.now();
    for (let left = count; left > 0; left -= 1) {
      this.#id = this.#freeId();
      const timeMs = this.#options.nextTimeMs();
      const recordedAt = new Date(timeMs).toISOString();
      // About as long as what an app sends.
      const payload = `{"lat":${this.#options.latOf(timeMs)},"lon":11.5755,"recordedAt":"${recordedAt}","accuracyM":4.5,"speedMps":8.3,"headingDeg":271}`;
      this.#open.set(this.#id, { payload, sentAtMs });
      messages.push({ messageId: this.#id, payload });
    }
    this.sent += count;
    this.#socket?.write(writePublishes(this.#topic, messages, false));
  }

  /**
   * From now on PUBACKs are read once for each call, not as they come: where a broker writes each by itself, to read each by
   * itself would cost as much as to send the fix.
   */
  readTurn(): void {
    this.#readsInTurns = true;
    this.#socket?.resume();
  }

  /** As they come. */
  readAlways(): void {
    this.#readsInTurns = false;
    this.#socket?.resume();
  }

  close(): void {
    this.readAlways();
    this.#closed = true;
    clearInterval(this.#pinging);
    this.#socket?.end(disconnectPacket);
  }

  #freeId(): number {
    let id = this.#id;
    do id = (id % idsMax) + 1;
    while (this.#open.has(id));
    return id;
  }

  #connect(): void {
    const { url, driverId, username, password, onReady } = this.#options;
    const { hostname, port } = new URL(url);
    const read = createAcknowledgementReader({
      onConnected: (returnCode) => {
        if (returnCode !== 0) {
          socket.destroy();
          return;
        }
        this.connected = true;
        this.reconnects += 1;
        const again = [...this.#open].map(([messageId, { payload }]) => ({ messageId, payload }));
        if (again.length > 0) socket.write(writePublishes(this.#topic, again, true));
        onReady();
      },
      onAcknowledged: (id) => {
        const open = this.#open.get(id);
        if (open === undefined) return;
        this.#open.delete(id);
        this.#options.onAcknowledged(performance.now() - open.sentAtMs);
      },
    });
    // With a buffer of its own, a socket that is paused is not read: otherwise it is, into a queue.
    const buffer = Buffer.alloc(readBytes);
    const callback = (bytes: number): boolean => {
      read(buffer.subarray(0, bytes));
      return !this.#readsInTurns;
    };
    const socket = connect({ host: hostname, port: Number(port), noDelay: true, onread: { buffer, callback } });
    this.#socket = socket;
    socket.on('connect', () => socket.write(writeConnect({ clientId: `bench-${driverId}`, username, password })));
    // The broker may be killed: that is what a benchmark does to it.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.connected = false;
      if (!this.#closed) setTimeout(() => this.#closed || this.#connect(), reconnectMs * (1 + Math.random()));
    });
  }
}

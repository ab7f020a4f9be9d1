import { performance } from 'node:perf_hooks';
import type { Duplex } from 'node:stream';
import type { Counter, Histogram } from '#core/telemetry/metrics.ts';
import type { CredentialRecord } from './credential-store.ts';
import type { ConnectionBuffers } from './connection-buffers.ts';
import type { PublishHead } from './frame.ts';
import { FrameGate, type Admission } from './frame-gate.ts';
import type { InflightBudget } from './inflight-budget.ts';
import { IncomingMessage } from './incoming-message.ts';
import type { MessageRouter } from './message-router.ts';
import type { ReadTurn } from './read-turn.ts';

const qosLabels = [{ qos: '0' }, { qos: '1' }, { qos: '2' }] as const;

export interface MessageConnectionOptions {
  readonly socket: Duplex;
  /** Of the peer. */
  readonly address: string;
  /** `server`: the peer is a device at the embedded broker. `client`: the peer is an external broker. */
  readonly side: 'server' | 'client';
  readonly packetMaxBytes: number;
  /** Messages in flight on this connection; what the peer sends beyond stays in its socket. */
  readonly windowMax: number;
  /**
   * The peer was told of the window (MQTT 5's Receive Maximum): its messages are taken whatever other connections hold, and
   * while it keeps to the window its pings never wait. Mosquitto 2.0.11 does not, on a plain connection.
   * @default false
   */
  readonly toldWindow?: boolean;
  readonly budget: InflightBudget;
  readonly buffers: ConnectionBuffers;
  /** Of all connections together. */
  readonly turn: ReadTurn;
  readonly router: MessageRouter;
  readonly dropped: Counter;
  readonly ackDuration: Histogram;
  /**
   * Of a message of quality of service 1 that needs nothing of the library: what it carries. It is then not parsed a second
   * time. @default every message passes the library
   */
  readonly direct?: (head: PublishHead, connection: MessageConnection) => DirectMessage | undefined;
}

/** A message that is handled without the library. */
export interface DirectMessage {
  readonly payload: Buffer;
  readonly retained: boolean;
  /** Hands it to its subscriptions. @default the router's */
  readonly route?: (message: IncomingMessage) => void;
}

/** What a PUBLISH carries once the library has parsed it. */
export interface ReceivedPublish {
  readonly topic: string;
  readonly payload: Buffer | string;
  readonly qos: 0 | 1 | 2;
  readonly dup: boolean;
  readonly retain: boolean;
  readonly messageId: number;
}

/**
 * One connection whose messages are acknowledged after they are settled. Invariant: each reserved place in the budget is either in `reservations` (admitted, not
 * yet parsed), in `unparsed` (the same at quality of service 0) or held by one message, and is given back exactly once.
 */
export class MessageConnection {
  readonly gate: FrameGate;
  readonly address: string;
  /** Set when the device is authenticated. */
  credential: CredentialRecord | undefined;
  readonly #options: MessageConnectionOptions;
  readonly #reservations = new Map<number, number>();
  #unparsed: number[] = [];
  /** What `take` is about to be called for. */
  #direct: DirectMessage | undefined;
  readonly #messages = new Set<IncomingMessage>();
  readonly #stopListening: () => void;

  constructor(options: MessageConnectionOptions) {
    this.#options = options;
    this.address = options.address;
    this.gate = new FrameGate({
      socket: options.socket,
      packetMaxBytes: options.packetMaxBytes,
      // [MQTT-4.6.0-2] binds the client alone: a server may acknowledge each message when it is done.
      ordered: options.side === 'client',
      connectFirst: options.side === 'server',
      admit: (head, mayTake) => this.#admit(head, mayTake),
      take: (head) => this.#take(head),
      turn: options.turn,
      onRefused: (reason) => options.dropped.inc({ reason }),
    });
    options.buffers.add(this.gate);
    this.#stopListening = options.budget.onRoom(() => {
      if (this.gate.waiting) this.gate.retry();
    });
    this.gate.once('close', () => this.#close());
  }

  #admit(head: PublishHead, mayTake: boolean): Admission {
    const { budget, router, windowMax, toldWindow = false, dropped } = this.#options;
    if (head.qos === 0) {
      if (!router.hasRoom(head.topic) || !budget.reserve(head.bytes)) {
        dropped.inc({ reason: 'no-room' });
        return 'drop';
      }
      this.#unparsed.push(head.bytes);
      return 'pass';
    }
    if (this.gate.held >= windowMax) return 'wait';
    if (toldWindow) budget.exceed(head.bytes);
    else if (!router.hasRoom(head.topic, this.#share) || !budget.reserve(head.bytes)) return 'wait';
    this.#direct = mayTake && head.qos === 1 ? this.#options.direct?.(head, this) : undefined;
    if (this.#direct !== undefined) return 'take';
    this.#reservations.set(head.messageId, head.bytes);
    return 'pass';
  }

  /** A broker speaks for all of its devices; a device for itself. */
  get #share(): number {
    return this.#options.side === 'server' ? this.gate.held : 0;
  }

  #take({ topic, messageId, duplicate, bytes }: PublishHead): void {
    if (this.#direct === undefined) throw new TypeError('no message was admitted');
    const { payload, retained, route } = this.#direct;
    this.#direct = undefined;
    const packet = { topic, payload, qos: 1, dup: duplicate, retain: retained, messageId } as const;
    this.#hand(packet, bytes, route);
  }

  /** The reservation of a parsed PUBLISH; undefined when it repeats one that is still held. */
  #takeReservation(packet: ReceivedPublish): number | undefined {
    if (packet.qos === 0) return this.#unparsed.shift();
    const bytes = this.#reservations.get(packet.messageId);
    this.#reservations.delete(packet.messageId);
    return bytes;
  }

  /** Hands a PUBLISH to its subscriptions; its acknowledgement leaves when they have settled it. */
  accept(packet: ReceivedPublish, route?: (message: IncomingMessage) => void): void {
    const bytes = this.#takeReservation(packet);
    if (bytes !== undefined) this.#hand(packet, bytes, route);
  }

  #hand(packet: ReceivedPublish, bytes: number, route?: (message: IncomingMessage) => void): void {
    const receivedAt = performance.now();
    const message = this.#toMessage(packet, (acknowledge) => {
      this.#options.budget.release(bytes);
      this.#messages.delete(message);
      if (!acknowledge) return;
      if (packet.qos > 0) this.gate.release(packet.messageId);
      this.#options.ackDuration.observe(qosLabels[packet.qos], (performance.now() - receivedAt) / 1000);
    });
    // Only what the peer will send again is dropped with its connection.
    if (packet.qos > 0) this.#messages.add(message);
    if (route === undefined) this.#options.router.route(message);
    else route(message);
  }

  /** Acknowledges a PUBLISH without handing it to anybody. */
  refuse(packet: ReceivedPublish): void {
    const bytes = this.#takeReservation(packet);
    if (bytes === undefined) return;
    this.#options.budget.release(bytes);
    if (packet.qos > 0) this.gate.release(packet.messageId);
  }

  /** The device's will: published for it by the broker after its connection is gone, so nobody waits for an acknowledgement. */
  acceptWill(packet: ReceivedPublish): void {
    const { budget, router, dropped } = this.#options;
    const bytes = packet.payload.length + packet.topic.length;
    if (!router.hasRoom(packet.topic) || !budget.reserve(bytes)) return dropped.inc({ reason: 'no-room' });
    router.route(this.#toMessage({ ...packet, qos: 0, dup: false }, () => budget.release(bytes)));
  }

  #toMessage(packet: ReceivedPublish, onEnd: (acknowledge: boolean) => void): IncomingMessage {
    return new IncomingMessage({
      topic: packet.topic,
      payload: Buffer.from(packet.payload),
      qos: packet.qos,
      username: this.credential?.username ?? null,
      receivedAtMs: Date.now(),
      retained: packet.retain,
      duplicate: packet.dup,
      onEnd,
    });
  }

  /** Its peer sends again what is not acknowledged, or its owner no longer wants it. */
  end(): void {
    this.gate.destroy();
    for (const message of this.#messages) message.abandon();
  }

  #close(): void {
    this.#stopListening();
    for (const bytes of [...this.#reservations.values(), ...this.#unparsed]) this.#options.budget.release(bytes);
    this.#reservations.clear();
    this.#unparsed = [];
    // A device sends again what it has no acknowledgement for. A broker may have been killed: its messages are handled.
    if (this.#options.side === 'server') for (const message of this.#messages) message.abandon();
  }
}

import { randomUUID } from 'node:crypto';
import mqtt, { type MqttClient } from 'mqtt';
import type { FixNumbers } from './fix-number.ts';

export interface PhoneOptions {
  readonly url: string;
  readonly driverId: string;
  readonly username: string;
  readonly password: string;
  readonly numbers: FixNumbers;
  /** This phone's numbers are `first`, `first + step`, `first + 2 * step` and so on. */
  readonly first: number;
  readonly step: number;
}

/**
 * A driver's phone that sends numbered fixes: it keeps each until its PUBACK, over lost connections too, connects again by
 * itself and sends again what has none.
 */
export interface Phone {
  /** Every number that was sent, and of these the ones with a PUBACK. */
  readonly sent: ReadonlySet<number>;
  readonly acknowledged: ReadonlySet<number>;
  /** Cuts its TCP connection without a word. */
  cut(): void;
  /** Sends so many messages that are no fixes, among the fixes; resolves with their PUBACKs. */
  sendUnreadable(count: number): Promise<void>;
  /** Takes no more fixes from now on. */
  pause(): void;
  close(): Promise<void>;
}

/** Fixes without a PUBACK at a time. */
const windowMax = 40;
const burst = 5;
const paceMs = 20;
const reconnectPeriodMs = 100;

export function startPhone(options: PhoneOptions): Phone {
  const { url, driverId, username, password, numbers } = options;
  const sent = new Set<number>();
  const acknowledged = new Set<number>();
  /** To be handed to the client once more: it gave them up. */
  const again: number[] = [];
  let next = options.first;
  let open = 0;
  let paused = false;

  const client: MqttClient = mqtt.connect(url, {
    username,
    password,
    clientId: `${username}-${randomUUID()}`,
    clean: false,
    reconnectPeriod: reconnectPeriodMs,
    reconnectOnConnackError: true,
    connectTimeout: 5000,
  });
  // What fails the connection is what the tests do to it.
  client.on('error', () => undefined);

  function take(): number | undefined {
    const given = again.shift();
    if (given !== undefined || paused) return given;
    const number = next;
    next += options.step;
    return number;
  }

  function send(number: number): void {
    sent.add(number);
    open += 1;
    client.publish(`drivers/${driverId}/location`, numbers.payloadOf(number), { qos: 1 }, (error) => {
      open -= 1;
      if (error) again.push(number);
      else acknowledged.add(number);
    });
  }

  const timer = setInterval(() => {
    if (!client.connected) return;
    for (let count = 0; count < burst && open < windowMax; count += 1) {
      const number = take();
      if (number !== undefined) send(number);
    }
  }, paceMs);

  return {
    sent,
    acknowledged,
    async sendUnreadable(count) {
      const topic = `drivers/${driverId}/location`;
      // No two are the same: repetitions are kept once.
      const payloads = Array.from({ length: count }, (_, index) => `{"lat":${index}, "sent": "${randomUUID()}`);
      await Promise.all(payloads.map((payload) => client.publishAsync(topic, payload, { qos: 1 })));
    },
    cut: () => client.stream?.destroy(),
    pause() {
      paused = true;
    },
    async close() {
      clearInterval(timer);
      await client.endAsync(true);
    },
  };
}

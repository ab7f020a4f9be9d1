/** A burst of numbered fixes from many connections, as fast as the broker acknowledges them, over lost connections too. */
import { setTimeout as delay } from 'node:timers/promises';
import mqtt, { type MqttClient } from 'mqtt';
import type { FixNumbers } from './fix-number.ts';

export interface FixBurstOptions {
  readonly url: string;
  readonly numbers: FixNumbers;
  readonly fixes: number;
  /** Each is a driver. @default 20 */
  readonly connections?: number;
}

export interface FixBurst {
  /** Numbers of fixes with a PUBACK. */
  readonly acknowledged: ReadonlySet<number>;
  /** Resolves when all have one. */
  readonly done: Promise<void>;
  close(): Promise<void>;
}

/** Fixes of a connection without a PUBACK at a time. */
const windowMax = 20;

export function startFixBurst({ url, numbers, fixes, connections = 20 }: FixBurstOptions): FixBurst {
  const acknowledged = new Set<number>();
  let next = 0;
  let isClosed = false;

  /** Until it has its PUBACK: what the client gives up with a connection is handed to it again. */
  async function sendOne(client: MqttClient, driver: number, number: number): Promise<void> {
    while (!isClosed) {
      try {
        await client.publishAsync(`drivers/burst-${driver}/location`, numbers.payloadOf(number), { qos: 1 });
        acknowledged.add(number);
        return;
      } catch {
        await delay(20);
      }
    }
  }

  async function send(client: MqttClient, driver: number): Promise<void> {
    while (next < fixes) await sendOne(client, driver, (next += 1));
  }

  const clients = Array.from({ length: connections }, (_, driver) => {
    const client = mqtt.connect(url, {
      clientId: `burst-${driver}`,
      clean: false,
      reconnectPeriod: 50,
      reconnectOnConnackError: true,
    });
    // What fails the connection is what the tests do to the broker.
    client.on('error', () => undefined);
    return client;
  });
  const lanes = clients.flatMap((client, driver) => Array.from({ length: windowMax }, () => send(client, driver)));
  return {
    acknowledged,
    done: Promise.all(lanes).then(() => undefined),
    async close() {
      isClosed = true;
      next = fixes;
      await Promise.all(clients.map((client) => client.endAsync(true)));
    },
  };
}

import { connectAsync } from 'mqtt';
import { randomUUID } from 'node:crypto';
import { failed, ok, type Finding } from './finding.ts';

export interface BrokerToCheck {
  /** MQTT_URL; null for the embedded broker. */
  readonly url: string | null;
  readonly timeoutMs: number;
}

/** Whether an external broker lets a node in. The embedded one is a part of the core. */
export async function checkBroker({ url, timeoutMs }: BrokerToCheck): Promise<readonly Finding[]> {
  if (url === null) return [ok('broker', 'embedded: it is up when the core is')];
  const address = new URL(url).host;
  const beganMs = performance.now();
  try {
    const client = await connectAsync(url, {
      // A session of its own, that ends with the connection: a node's must not be taken over.
      clientId: `returnit-doctor-${randomUUID()}`,
      clean: true,
      connectTimeout: timeoutMs,
      reconnectPeriod: 0,
    });
    await client.endAsync(true);
    return [ok('broker', `${address} lets a node in after ${Math.round(performance.now() - beganMs)} ms`)];
  } catch (error) {
    const says = `${address} does not let a node in: ${(error as Error).message || 'no answer'}`;
    return [failed('broker', says, 'Look whether it runs, and at the name and password in MQTT_URL.')];
  }
}

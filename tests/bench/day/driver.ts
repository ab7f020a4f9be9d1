import { setTimeout as wait } from 'node:timers/promises';
import mqtt, { type MqttClient } from 'mqtt';
import { positionAt, type RoutePoint } from '#core/cli/demo/route-point.ts';
import type { DeviceCredentials } from '../../support/ingest/rig.ts';
import type { Crowd, Who } from './api.ts';
import type { Chances } from './chances.ts';

export interface DriverOptions {
  readonly crowd: Crowd;
  readonly url: string;
  readonly device: DeviceCredentials;
  readonly route: readonly RoutePoint[];
  readonly chances: Chances;
  /** What one thing takes, such as a ride to the next stop. */
  readonly paceMs: number;
  readonly onFailure: (what: string) => void;
}

interface OfferMessage {
  readonly type: 'offer' | 'closed';
  readonly offerId: string;
  readonly orderId: string;
}

const fixEveryMs = 2000;
const ops: Who = { role: 'ops', id: 'day' };

/** A driver with a phone: sends where it is, answers offers that are pushed to it, takes each order to its door. */
export class SimulatedDriver {
  readonly #options: DriverOptions;
  readonly #who: Who;
  readonly #work = new Set<Promise<void>>();
  /** An offer is pushed more than once when its acknowledgement is lost. */
  readonly #seen = new Set<string>();
  #client: MqttClient | undefined;
  #timer: NodeJS.Timeout | undefined;
  fixes = 0;

  constructor(options: DriverOptions) {
    this.#options = options;
    this.#who = { role: 'driver', id: options.device.driverId };
  }

  async start(): Promise<void> {
    const { url, device, crowd } = this.#options;
    const { username, password, driverId } = device;
    const client = await mqtt.connectAsync(url, { username, password, clientId: `day-${username}`, clean: false });
    client.on('error', () => undefined);
    client.on('message', (_topic, payload) => this.#receive(JSON.parse(payload.toString()) as OfferMessage));
    await client.subscribeAsync(`drivers/${driverId}/offers`, { qos: 1 });
    this.#client = client;
    this.#sendFix();
    this.#timer = setInterval(() => this.#sendFix(), fixEveryMs);
    const { status } = await crowd.call(this.#who, 'POST', `/drivers/${driverId}/shift`, { onShift: true });
    if (status !== 200) this.#options.onFailure(`shift answered ${status}`);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    // First, so that no offer comes any more.
    await this.#client?.endAsync();
    await Promise.all(this.#work);
  }

  /** There and back along the route. */
  #sendFix(): void {
    const { route, device } = this.#options;
    const lengthMs = route.at(-1)?.offsetMs ?? 0;
    const offsetMs = (this.fixes * fixEveryMs) % (2 * lengthMs);
    const place = positionAt(route, offsetMs < lengthMs ? offsetMs : 2 * lengthMs - offsetMs);
    this.fixes += 1;
    const fix = { ...place, recordedAt: new Date().toISOString(), accuracyM: 5 };
    this.#client?.publish(`drivers/${device.driverId}/location`, JSON.stringify(fix), { qos: 1 });
  }

  #receive(message: OfferMessage): void {
    if (message.type !== 'offer' || this.#seen.has(message.offerId)) return;
    this.#seen.add(message.offerId);
    const work = this.#answer(message)
      .catch((error: unknown) => this.#options.onFailure(String(error)))
      .finally(() => this.#work.delete(work));
    this.#work.add(work);
  }

  async #answer({ offerId, orderId }: OfferMessage): Promise<void> {
    const { crowd, chances, device, paceMs } = this.#options;
    await wait(chances.between(0.1, 0.5) * paceMs);
    const answer = chances.ofOffer();
    if (answer === 'ignore') return;
    const path = `/drivers/${device.driverId}/offers/${offerId}/${answer}`;
    const { status } = await crowd.call(this.#who, 'POST', path, answer === 'accept' ? undefined : {});
    // Too late, or the order was cancelled meanwhile.
    if (status === 409 || status === 404) return;
    if (status !== 200) return this.#options.onFailure(`${answer} answered ${status}`);
    if (answer === 'accept') await this.#drive(orderId);
  }

  async #drive(orderId: string): Promise<void> {
    const { chances, paceMs } = this.#options;
    const fails = chances.pickupFails();
    const verbs = fails ? ['start', 'arrive', 'fail-pickup'] : ['start', 'arrive', 'pickup', 'deliver'];
    for (const verb of verbs) {
      await wait(chances.between(0.5, 1.5) * paceMs);
      if (!(await this.#step(orderId, verb))) return;
    }
  }

  /** False when the order is no longer this driver's, such as cancelled. */
  async #step(orderId: string, verb: string): Promise<boolean> {
    const { crowd, paceMs, onFailure } = this.#options;
    const body = verb === 'fail-pickup' ? { reason: 'nobody_home' } : undefined;
    // The order follows the acceptance by an event: the first step may be faster.
    for (let attempt = 1; attempt <= 40; attempt += 1) {
      const { status, body: answer } = await crowd.call<{ detail?: string }>(
        this.#who,
        'POST',
        `/orders/${orderId}/${verb}`,
        body,
      );
      if (status === 200) return true;
      const isEarly = verb === 'start' && (status === 404 || (answer.detail ?? '').includes("'scheduled'"));
      if (!isEarly) {
        if (status !== 409 && status !== 404) onFailure(`${verb} answered ${status} ${JSON.stringify(answer)}`);
        return false;
      }
      await wait(paceMs / 4);
    }
    // Cancelled in the moment in which it was accepted: it has become nobody's.
    const { body: order } = await crowd.call<{ status?: string }>(ops, 'GET', `/orders/${orderId}`);
    if (order.status !== 'cancelled') onFailure(`${verb} of ${orderId}, which is ${order.status}, was never possible`);
    return false;
  }
}

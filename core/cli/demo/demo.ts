import type { Role } from '#plugin-api';
import type { Logger } from '#core/telemetry/logger.ts';
import { AppError } from '#core/errors/app-error.ts';
import { createApiClient, type Send } from './api-client.ts';
import { driveOrders } from './demo-driver.ts';
import type { RoutePoint } from './route-point.ts';
import { createSyntheticRoute } from './synthetic-route.ts';

export interface DemoOptions {
  readonly apiUrl: string;
  readonly mqttUrl: string;
  readonly issueToken: (token: {
    readonly role: Role;
    readonly subject: string;
    readonly expiresInSeconds: number;
  }) => Promise<string>;
  /** A recorded trace; without it each driver follows a route of its own. */
  readonly trace?: readonly RoutePoint[];
  /** @default 2, or 1 with a trace */
  readonly drivers?: number;
  /** @default 1 */
  readonly speed?: number;
  /** @default Math.random */
  readonly random?: () => number;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export interface DemoOrder {
  readonly orderId: string;
  /** Of the customer who booked it. */
  readonly token: string;
}

export interface RunningDemo {
  /** The first order that has a driver. */
  readonly firstOrder: Promise<DemoOrder>;
  /** Resolves when all drivers have stopped. */
  readonly done: Promise<void>;
}

const tokenSeconds = 86_400;
const customerId = 'demo-customer';

/** Registers drivers, puts them on shift, books orders and moves: all through the API and MQTT, as anybody would. */
export async function startDemo(options: DemoOptions): Promise<RunningDemo> {
  const { signal, logger, random = Math.random, drivers = options.trace === undefined ? 2 : 1 } = options;
  const token = await options.issueToken({ role: 'customer', subject: customerId, expiresInSeconds: tokenSeconds });
  const customer = createApiClient(options.apiUrl, token);
  const ops = createApiClient(
    options.apiUrl,
    await options.issueToken({ role: 'ops', subject: 'demo-ops', expiresInSeconds: tokenSeconds }),
  );
  const { promise: firstOrder, resolve, reject } = Promise.withResolvers<DemoOrder>();
  // Nobody may be waiting for it when the demo is stopped early.
  firstOrder.catch(() => undefined);

  async function runDriver(driverId: string): Promise<void> {
    try {
      await driveOrders({
        driverId,
        mqttUrl: options.mqttUrl,
        credentials: await prepareDriver(ops, driverId),
        route: options.trace ?? createSyntheticRoute({ random }),
        ops,
        customer,
        speed: options.speed ?? 1,
        signal,
        onOrder: ({ orderId }) => resolve({ orderId, token }),
        onFailure: (error) => logger.warn({ component: 'demo', driverId, err: error }, 'Demo order left'),
        onStep: (step) => logger.info({ component: 'demo', driverId, ...step }, 'Demo order moved'),
      });
    } catch (error) {
      if (signal.aborted) return;
      logger.error({ component: 'demo', driverId, err: error }, 'Demo driver stopped');
      reject(new AppError('INTERNAL', `Demo driver ${driverId} stopped`, { cause: error }));
    }
  }

  const ids = Array.from({ length: drivers }, (_, index) => `demo-driver-${index + 1}`);
  const done = Promise.all(ids.map(runDriver)).then(() => reject(new AppError('CANCELLED', 'The demo has ended')));
  return { firstOrder, done };
}

/** A data folder that knows the driver from an earlier demo is as good as an empty one. */
async function prepareDriver(ops: Send, driverId: string): Promise<{ username: string; password: string }> {
  const { drivers } = await ops<{ drivers: readonly { driverId: string }[] }>('GET', '/drivers?limit=100');
  if (!drivers.some((driver) => driver.driverId === driverId)) {
    await ops('POST', '/drivers', { driverId, name: driverId, vehicle: 'van', autoAccept: true });
  }
  const credentials = await ops<{ username: string; password: string }>('POST', `/drivers/${driverId}/devices`, {
    deviceId: 'phone',
  });
  await ops('POST', `/drivers/${driverId}/shift`, { onShift: true });
  return credentials;
}

import type { PluginContext, Transaction } from '#plugin-api';
import { listDevices, revokeDevices } from './store/devices.ts';
import { lockDriver } from './store/drivers.ts';

const revokeQueue = 'drivers.revoke';
/** For as long as a broker may be away: it is asked again for hours. */
const retryLimit = 15;

interface RevokeJob {
  readonly driverId: string;
}

/**
 * Cuts off all devices of a driver. They count as revoked with this transaction, and a job ends their connections: whatever
 * state the broker is in, the driver is suspended now. To be called with the driver locked.
 */
export async function revokeDevicesOf(tx: Transaction, driverId: string): Promise<void> {
  const usernames = await revokeDevices(tx, driverId);
  if (usernames.length > 0) await tx.jobs.send(revokeQueue, { driverId }, { retryLimit });
}

export function registerDeviceKeeping(ctx: PluginContext): void {
  ctx.jobs.work<RevokeJob>(revokeQueue, ({ data: { driverId } }) =>
    ctx.db.transaction(async (tx) => {
      // Locked: credentials that are issued anew meanwhile are another's to revoke.
      await lockDriver(tx, driverId);
      for (const { username, revokedAt } of await listDevices(tx, driverId)) {
        if (revokedAt !== null) await ctx.mqtt.revokeCredentials(username);
      }
    }),
  );
}

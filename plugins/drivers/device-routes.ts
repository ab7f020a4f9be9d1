import { Type } from 'typebox';
import type { HttpReply, PluginContext, Transaction } from '#plugin-api';
import { accessOf, activeDevicesMax, Device, DeviceId, DeviceList, IssuedDevice, offersTopicOf } from './device.ts';
import { DriverId, DriverParams } from './driver.ts';
import { driverNotFound, refuse } from './errors.ts';
import { countOtherDevices, findActiveDevice, listDevices, revokeDevice, upsertDevice } from './store/devices.ts';
import { findDriver, lockDriver } from './store/drivers.ts';

const closed = { additionalProperties: false } as const;
const DeviceParams = Type.Object({ driverId: DriverId, deviceId: DeviceId }, closed);
const NewDevice = Type.Object({ deviceId: DeviceId }, closed);

/** The list of a driver's devices stays readable in one answer. */
const knownDevicesMax = 100;

export function registerDeviceRoutes(ctx: PluginContext): void {
  ctx.http.post(
    '/drivers/{driverId}/devices',
    {
      summary: "Issues a device's MQTT credentials, or replaces them; the password is shown this once",
      roles: ['ops'],
      params: DriverParams,
      body: NewDevice,
      response: { 201: IssuedDevice },
    },
    ({ principal, params, body }) =>
      issue(ctx, { driverId: params.driverId, deviceId: body.deviceId, issuedBy: principal.id }),
  );

  ctx.http.get(
    '/drivers/{driverId}/devices',
    {
      summary: "A driver's devices, without their passwords",
      roles: ['ops'],
      params: DriverParams,
      response: { 200: DeviceList },
    },
    async ({ params: { driverId } }) => {
      if ((await findDriver(ctx.db, driverId)) === undefined) return driverNotFound(driverId);
      return { status: 200, body: { devices: await listDevices(ctx.db, driverId) } };
    },
  );

  ctx.http.delete(
    '/drivers/{driverId}/devices/{deviceId}',
    {
      summary: "Revokes a device's credentials and disconnects it",
      roles: ['ops'],
      params: DeviceParams,
      response: { 200: Device },
    },
    async ({ params: { driverId, deviceId } }) => {
      const device = await ctx.db.transaction(async (tx) => {
        // Locked, so that a rotation at the same moment does not bring the device back.
        await lockDriver(tx, driverId);
        const revoked = await revokeDevice(tx, driverId, deviceId);
        // Inside the transaction: when the core cannot revoke, the device does not look revoked either.
        if (revoked !== undefined) await ctx.mqtt.revokeCredentials(revoked.username);
        return revoked;
      });
      return device === undefined ? deviceNotFound(driverId, deviceId) : { status: 200, body: device };
    },
  );

  ctx.http.post(
    '/drivers/{driverId}/devices/{deviceId}/rotate',
    {
      summary: "Replaces a device's password at once; the new one is shown this once",
      roles: ['driver', 'ops'],
      params: DeviceParams,
      response: { 200: IssuedDevice },
    },
    ({ principal, params: { driverId, deviceId } }) =>
      principal.role === 'driver' && principal.id !== driverId
        ? driverNotFound(driverId)
        : rotate(ctx, { driverId, deviceId, issuedBy: principal.id }),
  );
}

const deviceNotFound = (driverId: string, deviceId: string): HttpReply =>
  refuse('DEVICE_NOT_FOUND', `Driver '${driverId}' has no device '${deviceId}' in use`);

interface Issue {
  readonly driverId: string;
  readonly deviceId: string;
  readonly issuedBy: string;
}

async function issue(ctx: PluginContext, { driverId, deviceId, issuedBy }: Issue): Promise<HttpReply> {
  return ctx.db.transaction(async (tx): Promise<HttpReply> => {
    // Locked, so that two requests at once do not both get the last place.
    const driver = await lockDriver(tx, driverId);
    if (driver === undefined) return driverNotFound(driverId);
    if (driver.status !== 'approved') {
      return refuse('DRIVER_NOT_APPROVED', `Driver '${driverId}' is ${driver.status}: its devices may not connect`);
    }
    const { active, known } = await countOtherDevices(tx, driverId, deviceId);
    if (active >= activeDevicesMax || known >= knownDevicesMax) {
      return refuse(
        'DEVICE_LIMIT_REACHED',
        `Driver '${driverId}' has ${active} devices in use and ${known} in all: ${activeDevicesMax} and ${knownDevicesMax} are the limits`,
      );
    }
    return { status: 201, ...(await write(ctx, tx, { driverId, deviceId, issuedBy })) };
  });
}

/** The password before is worth nothing from then on, and whoever is connected with it is disconnected. */
async function rotate(ctx: PluginContext, { driverId, deviceId, issuedBy }: Issue): Promise<HttpReply> {
  return ctx.db.transaction(async (tx): Promise<HttpReply> => {
    // Locked, so that a suspension at the same moment is not undone.
    await lockDriver(tx, driverId);
    if ((await findActiveDevice(tx, driverId, deviceId)) === undefined) return deviceNotFound(driverId, deviceId);
    return { status: 200, ...(await write(ctx, tx, { driverId, deviceId, issuedBy })) };
  });
}

async function write(
  ctx: PluginContext,
  tx: Transaction,
  { driverId, deviceId, issuedBy }: Issue,
): Promise<{ readonly body: unknown; readonly headers: Readonly<Record<string, string>> }> {
  const { topic, ...access } = accessOf(driverId, deviceId);
  await upsertDevice(tx, { driverId, deviceId, username: access.username, issuedBy });
  // Last, and before the commit: credentials whose device is not recorded were never shown to anybody.
  const { username, password } = await ctx.mqtt.issueCredentials(access);
  const body = { deviceId, username, password, topic, offersTopic: offersTopicOf(driverId) };
  return { headers: { 'cache-control': 'no-store' }, body };
}

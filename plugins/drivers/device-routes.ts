import { Type } from 'typebox';
import type { HttpReply, PluginContext } from '#plugin-api';
import { accessOf, activeDevicesMax, Device, DeviceId, DeviceList, DriverId, IssuedDevice } from './driver.ts';
import { refuse } from './errors.ts';
import { countOtherDevices, listDevices, revokeDevice, upsertDevice } from './store/devices.ts';
import { findDriver, lockDriver } from './store/drivers.ts';

const closed = { additionalProperties: false } as const;
const DriverParams = Type.Object({ driverId: DriverId }, closed);
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
      if ((await findDriver(ctx.db, driverId)) === undefined) return unknownDriver(driverId);
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
        const revoked = await revokeDevice(tx, driverId, deviceId);
        // Inside the transaction: when the core cannot revoke, the device does not look revoked either.
        if (revoked !== undefined) await ctx.mqtt.revokeCredentials(revoked.username);
        return revoked;
      });
      return device === undefined
        ? refuse('DEVICE_NOT_FOUND', `Driver '${driverId}' has no device '${deviceId}'`)
        : { status: 200, body: device };
    },
  );
}

const unknownDriver = (driverId: string): HttpReply => refuse('DRIVER_NOT_FOUND', `No driver '${driverId}' exists`);

interface Issue {
  readonly driverId: string;
  readonly deviceId: string;
  readonly issuedBy: string;
}

async function issue(ctx: PluginContext, { driverId, deviceId, issuedBy }: Issue): Promise<HttpReply> {
  const access = accessOf(driverId, deviceId);
  return ctx.db.transaction(async (tx): Promise<HttpReply> => {
    // Locked, so that two requests at once do not both get the last place.
    if (!(await lockDriver(tx, driverId))) return unknownDriver(driverId);
    const { active, known } = await countOtherDevices(tx, driverId, deviceId);
    if (active >= activeDevicesMax || known >= knownDevicesMax) {
      return refuse(
        'DEVICE_LIMIT_REACHED',
        `Driver '${driverId}' has ${active} devices in use and ${known} in all: ${activeDevicesMax} and ${knownDevicesMax} are the limits`,
      );
    }
    await upsertDevice(tx, { driverId, deviceId, username: access.username, issuedBy });
    // Last, and before the commit: credentials whose device is not recorded were never shown to anybody.
    const { username, password } = await ctx.mqtt.issueCredentials({
      username: access.username,
      publish: access.publish,
    });
    return {
      status: 201,
      headers: { 'cache-control': 'no-store' },
      body: { deviceId, username, password, topic: access.topic },
    };
  });
}

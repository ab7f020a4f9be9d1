import type { Principal } from '#plugin-api';

/** For whom a device speaks. */
export interface Speaker {
  readonly username: string;
  readonly driverId: string;
  readonly device: string;
}

const locationTopic = /^drivers\/([A-Za-z0-9_-]{1,64})\/location$/;
const devicePattern = /^[A-Za-z0-9._-]{1,64}$/;

/**
 * Taken from what the credentials may publish, as the broker does it: a user name alone proves nothing, for another plugin
 * could have issued it for something else.
 */
export function toSpeaker({ id: username, publish = [] }: Principal): Speaker | undefined {
  for (const topic of publish) {
    const driverId = locationTopic.exec(topic)?.[1];
    if (driverId === undefined || !username.startsWith(`${driverId}.`)) continue;
    const device = username.slice(driverId.length + 1);
    if (devicePattern.test(device)) return { username, driverId, device };
  }
  return undefined;
}

/** Whether an id that an app was given by hand, and sends along, means this device. None at all does. */
export function isOwnId(id: unknown, { username, driverId }: Speaker): boolean {
  return id === undefined || id === '' || id === username || id === driverId;
}

import { rejected, type Rejection } from '../fix.ts';
import type { Fields } from '../validate.ts';

interface TypeOfMessage {
  readonly use: 'fix' | 'will' | 'ignored' | 'refused';
  /** What it is, and why it is used so. */
  readonly why: string;
}

/**
 * Every `_type` that the apps send (OwnTracks booklet, "JSON"), and what is made of it. One that is not here is ignored as
 * well: an app that learns a new one tomorrow must neither lose its positions nor fill the dead letters.
 */
export const ownTracksTypes = {
  location: { use: 'fix', why: 'where the phone is' },
  lwt: { use: 'will', why: 'the connection is gone: hastens the absence that the age of the newest fix would tell' },
  transition: { use: 'ignored', why: 'a region of the app was entered or left; the app sends a location beside it' },
  waypoint: { use: 'ignored', why: 'a region that the driver made: nobody asked for it, and it may be a home' },
  waypoints: { use: 'ignored', why: 'the regions of the app, on demand or exported' },
  cmd: { use: 'ignored', why: 'commands go to phones; one that comes from a phone is for nobody here' },
  status: { use: 'ignored', why: 'settings and permissions of the phone' },
  card: { use: 'ignored', why: 'a name and a picture for friends; the drivers plugin knows its drivers' },
  steps: { use: 'ignored', why: 'a step counter: the health of a driver is not our business' },
  beacon: { use: 'ignored', why: 'a Bluetooth beacon nearby' },
  configuration: { use: 'ignored', why: "a dump of the app's settings" },
  request: { use: 'ignored', why: 'asks for a tour to be shared: share links are made by the API' },
  encrypted: { use: 'refused', why: 'we have no key; TLS protects what is under way' },
} as const satisfies Readonly<Record<string, TypeOfMessage>>;

const kmhPerMps = 3.6;
const types = new Map<string, TypeOfMessage>(Object.entries(ownTracksTypes));

export type OwnTracksReading =
  | { readonly kind: 'location'; readonly fields: Fields }
  | { readonly kind: 'lwt' }
  | { readonly kind: 'ignored' }
  | Rejection;

/** Reads one message. Of its members only those of a position are looked at: Wi-Fi names, pictures and tags stay outside. */
export function readOwnTracks(members: Readonly<Record<string, unknown>>): OwnTracksReading {
  const type = members['_type'];
  if (typeof type !== 'string') return rejected('schema', "'_type' must be a text");
  switch (types.get(type)?.use) {
    case 'fix':
      return { kind: 'location', fields: toFields(members) };
    case 'will':
      return { kind: 'lwt' };
    case 'refused':
      return rejected('encrypted', 'the payload is encrypted: clear the encryption key in the app');
    default:
      return { kind: 'ignored' };
  }
}

/** `tst` epoch seconds, `acc` metres, `vel` km/h, `cog` degrees. Negative is sent for unknown, and an accuracy of 0 too. */
function toFields(members: Readonly<Record<string, unknown>>): Fields {
  const known = (name: string): unknown => {
    const value = members[name];
    return typeof value === 'number' && value < 0 ? undefined : value;
  };
  const speed = known('vel');
  const accuracy = known('acc');
  return {
    // Text is our format's alone.
    time: typeof members['tst'] === 'number' ? members['tst'] : undefined,
    lat: members['lat'],
    lon: members['lon'],
    accuracyM: accuracy === 0 ? undefined : accuracy,
    speedMps: typeof speed === 'number' ? speed / kmhPerMps : speed,
    headingDeg: known('cog'),
  };
}

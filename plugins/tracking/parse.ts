import type { MqttMessage } from '#plugin-api';
import { rejected, type Fix, type Rejection } from './fix.ts';
import { readOsmAnd } from './formats/osmand.ts';
import { readOwn } from './formats/own.ts';
import { readOwnTracks } from './formats/owntracks.ts';
import { defaultLimits, toFix, type ValidationLimits } from './validate.ts';
import { readOwnTracksWill, readStatus, type Will } from './will.ts';

export type ParsedMessage =
  | { readonly kind: 'fix'; readonly fix: Fix }
  /** The device is gone. */
  | { readonly kind: 'will'; readonly will: Will }
  /** Well-formed and of no interest: OwnTracks sends more than locations. */
  | { readonly kind: 'ignored' }
  | Rejection;

export const payloadCharactersMax = 4096;

const driverIdPattern = /^[A-Za-z0-9_-]{1,64}$/;
const devicePattern = /^[A-Za-z0-9._-]{1,64}$/;
/** Formats whose topic is `<format>/{driverId}/{device}`. */
const deviceFormats = new Map<string, typeof readOwnTracks | typeof readOsmAnd>([
  ['owntracks', readOwnTracks],
  ['osmand', readOsmAnd],
]);

/**
 * Reads one message of a device: our own JSON on `drivers/{driverId}/location`, OwnTracks on `owntracks/{driverId}/{device}`,
 * OsmAnd on `osmand/{driverId}/{device}`, which only the HTTP door makes.
 * The driver is taken from the topic alone, for that is what the broker admits a device to. Unknown members are ignored.
 */
export function parseMessage(
  message: MqttMessage,
  nowMs: number,
  limits: ValidationLimits = defaultLimits,
): ParsedMessage {
  if (message.refused !== undefined) return toRejection(message.refused);
  const [root = '', ...levels] = message.topic.split('/');
  const [driverId, leaf] = root === 'owntracks' ? toOwnTracksNames(levels) : levels;
  if (levels.length !== 2 || driverId === undefined || leaf === undefined || !driverIdPattern.test(driverId)) {
    return rejected('topic', 'the topic names no driver');
  }
  const characters = message.payload.length;
  if (characters > payloadCharactersMax) {
    return rejected('payload_too_large', `the payload has ${characters} characters: at most ${payloadCharactersMax}`);
  }
  const body = parseObject(message.payload);
  if ('kind' in body) return body;
  const { members } = body;
  const validation = { nowMs, limits };
  const { receivedAt, retained } = message;
  if (root === 'drivers' && (leaf === 'location' || leaf === 'status')) {
    const device = deviceOf(message, driverId, members);
    if (typeof device !== 'string' || !devicePattern.test(device)) {
      return rejected('schema', "'device' must be 1 to 64 letters, digits, '.', '_' or '-'");
    }
    if (leaf === 'status') return readStatus(members, { driverId, device, receivedAt, retained });
    return toFix({ driverId, device }, readOwn(members), validation);
  }
  const read = deviceFormats.get(root);
  if (read === undefined || !devicePattern.test(leaf)) return rejected('topic', 'the topic names no device');
  const reading = read(members);
  if (reading.kind === 'location') return toFix({ driverId, device: leaf }, reading.fields, validation);
  if (reading.kind === 'lwt') return readOwnTracksWill({ driverId, device: leaf, receivedAt, retained });
  return reading.kind === 'rejected' ? reading : { kind: 'ignored' };
}

/**
 * The app's own default is `owntracks/<user name>/<what the phone calls itself>`. A user name is `<driverId>.<deviceId>`, and
 * no driver's id has a dot.
 */
function toOwnTracksNames([owner = '', device]: readonly string[]): readonly (string | undefined)[] {
  const dot = owner.indexOf('.');
  return dot === -1 ? [owner, device] : [owner.slice(0, dot), owner.slice(dot + 1)];
}

function toRejection({ reason, payloadBytes }: NonNullable<MqttMessage['refused']>): Rejection {
  return reason === 'encoding'
    ? rejected('encoding', 'the payload is not UTF-8')
    : rejected('payload_too_large', `the payload has ${payloadBytes} bytes: more than a frame carries`);
}

type Members = Readonly<Record<string, unknown>>;

function parseObject(payload: string): { readonly members: Members } | Rejection {
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch (error) {
    // The device is told nothing; the place in the text is for who looks at the dead letter.
    const place = error instanceof Error ? /at position \d+/.exec(error.message)?.[0] : undefined;
    return rejected('malformed_json', `the payload is not JSON${place === undefined ? '' : ` ${place}`}`);
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? { members: value as Members }
    : rejected('schema', 'the payload must be an object');
}

/** The broker's user name `<driverId>.<deviceId>` says it best; an external broker may not tell, then the payload does. */
function deviceOf(message: MqttMessage, driverId: string, members: Members): unknown {
  const prefix = `${driverId}.`;
  if (message.username?.startsWith(prefix) === true) return message.username.slice(prefix.length);
  return members['device'] ?? 'default';
}

/** The properties of an MQTT 5 PUBLISH (§3.3.2.3), as far as the way of a fix and of an offer need them. */
import type { IClientPublishOptions } from 'mqtt';

export interface PublishProperties {
  /** Of the subscriptions that the message was sent for. */
  readonly subscriptionIdentifiers: readonly number[];
  readonly payload: Buffer;
}

/** `fixed`: so many bytes. `text`: two bytes of length, then so many bytes. `pair`: two of those. */
type Form = { readonly fixed: number } | { readonly texts: 1 | 2 };

const subscriptionIdentifier = 0x0b;
/** What is passed over. A topic alias is not among them: the library knows what it stands for. */
const passedOver = new Map<number, Form>([
  // Payload format, expiry, content type, response topic, correlation data, user property.
  [0x01, { fixed: 1 }],
  [0x02, { fixed: 4 }],
  [0x03, { texts: 1 }],
  [0x08, { texts: 1 }],
  [0x09, { texts: 1 }],
  [0x26, { texts: 2 }],
]);

/**
 * What a message to a device says beside its payload. The user property is the name that W3C's draft for MQTT gives it and
 * what clients with tracing look for; a device that begins a trace of its own links to it, and nobody else is hurt.
 *
 * @param expirySeconds - undefined: never
 * @param traceparent - of the span that publishes; undefined outside of one
 * @returns undefined when there is nothing to say
 */
export function toPublishProperties(
  expirySeconds: number | undefined,
  traceparent: string | undefined,
): NonNullable<IClientPublishOptions['properties']> | undefined {
  if (expirySeconds === undefined && traceparent === undefined) return undefined;
  return {
    ...(expirySeconds === undefined ? {} : { messageExpiryInterval: expirySeconds }),
    ...(traceparent === undefined ? {} : { userProperties: { traceparent } }),
  };
}

/** Undefined for what only the library can read, or say that it is malformed. */
export function readPublishProperties(body: Buffer): PublishProperties | undefined {
  const length = readVariable(body, 0);
  if (length === undefined) return undefined;
  const end = length.next + length.value;
  if (end > body.length) return undefined;
  const subscriptionIdentifiers: number[] = [];
  let at: number | undefined = length.next;
  while (at < end) {
    const property = body[at];
    if (property === subscriptionIdentifier) {
      const identifier = readVariable(body, at + 1);
      if (identifier === undefined) return undefined;
      subscriptionIdentifiers.push(identifier.value);
      at = identifier.next;
    } else {
      at = passOver(body, at + 1, passedOver.get(property ?? 0));
      if (at === undefined) return undefined;
    }
  }
  return at === end ? { subscriptionIdentifiers, payload: body.subarray(end) } : undefined;
}

function passOver(body: Buffer, at: number, form: Form | undefined): number | undefined {
  if (form === undefined) return undefined;
  if ('fixed' in form) return at + form.fixed;
  let next = at;
  for (let left = form.texts; left > 0; left -= 1) {
    if (next + 2 > body.length) return undefined;
    next += 2 + body.readUInt16BE(next);
  }
  return next;
}

/** A variable byte integer: at most four bytes [MQTT-1.5.5-1]. */
function readVariable(body: Buffer, at: number): { readonly value: number; readonly next: number } | undefined {
  let value = 0;
  for (let index = 0; index < 4; index += 1) {
    const byte = body[at + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 128 ** index;
    if ((byte & 0x80) === 0) return { value, next: at + index + 1 };
  }
  return undefined;
}

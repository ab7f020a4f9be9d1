/** The settings that are no numbers. */
import { audience, type TemplateName } from './audience.ts';
import { isTimeZone, toLocale } from './person.ts';

export interface ProviderSettings {
  readonly url: URL;
  /** Sent as a bearer token. */
  readonly token: string | null;
  /** Signs each request after the Standard Webhooks specification. */
  readonly secret: string | null;
}

/** The default of each, as the README has it. */
export const textDefaults = {
  NOTIFICATIONS_SMS_URL: '',
  NOTIFICATIONS_SMS_TOKEN: '',
  NOTIFICATIONS_SMS_SECRET: '',
  NOTIFICATIONS_PUSH_URL: '',
  NOTIFICATIONS_PUSH_TOKEN: '',
  NOTIFICATIONS_PUSH_SECRET: '',
  NOTIFICATIONS_ORDER_URL: '',
  NOTIFICATIONS_LOCALE: 'en',
  NOTIFICATIONS_TIME_ZONE: 'UTC',
  NOTIFICATIONS_URGENT:
    'order.started,order.arrived,driver.assigned,driver.unassigned,driver.offered,driver.order_cancelled',
} as const satisfies Readonly<Record<string, string>>;

type Environment = Readonly<Record<string, string>>;

function read(variable: keyof typeof textDefaults, environment: Environment): string {
  const text = environment[variable];
  return text === undefined || text === '' ? textDefaults[variable] : text;
}

/** Messages hold no value of a variable here: it may be a password. */
export function readProvider(channel: 'SMS' | 'PUSH', environment: Environment): ProviderSettings | null {
  const text = read(`NOTIFICATIONS_${channel}_URL`, environment);
  if (text === '') return null;
  const url = URL.parse(text);
  if (url === null || !isSafe(url) || url.username !== '' || url.password !== '') {
    throw new RangeError(
      `NOTIFICATIONS_${channel}_URL must begin with https:// (http:// to this machine alone) and have no user and password`,
    );
  }
  const token = read(`NOTIFICATIONS_${channel}_TOKEN`, environment);
  const secret = read(`NOTIFICATIONS_${channel}_SECRET`, environment);
  if (!/^[\x21-\x7e]*$/.test(token)) {
    throw new RangeError(`NOTIFICATIONS_${channel}_TOKEN must be of visible ASCII characters`);
  }
  if (!/^(whsec_[A-Za-z0-9+/]{32,}={0,2})?$/.test(secret)) {
    throw new RangeError(`NOTIFICATIONS_${channel}_SECRET must be "whsec_" and at least 24 bytes in base64`);
  }
  return { url, token: token === '' ? null : token, secret: secret === '' ? null : secret };
}

const isSafe = ({ protocol, hostname }: URL): boolean =>
  protocol === 'https:' || (protocol === 'http:' && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname));

export function readOrderUrl(environment: Environment): string | null {
  const text = read('NOTIFICATIONS_ORDER_URL', environment);
  if (text === '') return null;
  const url = URL.parse(text.replaceAll('{orderId}', 'o1'));
  if (url !== null && /^https?:$/.test(url.protocol) && text.includes('{orderId}')) return text;
  throw new RangeError('NOTIFICATIONS_ORDER_URL must be a URL with {orderId} in it that begins with https://');
}

export function readLocale(environment: Environment): string {
  const text = read('NOTIFICATIONS_LOCALE', environment);
  const locale = toLocale(text);
  if (locale !== undefined) return locale;
  throw new RangeError(`NOTIFICATIONS_LOCALE must be a language tag such as "de-AT": it is "${text}"`);
}

export function readTimeZone(environment: Environment): string {
  const text = read('NOTIFICATIONS_TIME_ZONE', environment);
  if (isTimeZone(text)) return text;
  throw new RangeError(`NOTIFICATIONS_TIME_ZONE must be a time zone such as "Europe/Berlin": it is "${text}"`);
}

export function readUrgent(environment: Environment): ReadonlySet<TemplateName> {
  const names = read('NOTIFICATIONS_URGENT', environment)
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'none');
  for (const name of names) {
    if (Object.hasOwn(audience, name)) continue;
    throw new RangeError(`NOTIFICATIONS_URGENT must name templates, or be "none": it has "${name}"`);
  }
  return new Set(names as TemplateName[]);
}

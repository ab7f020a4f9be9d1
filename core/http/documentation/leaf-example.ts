import { compilePattern } from '../pattern-policy.ts';
import type { JsonSchema } from '../schema-policy.ts';
import { createPatternExample } from './pattern-example.ts';

export interface ExampleContext {
  /** Examples are in the future: what is booked with them can be. */
  readonly nowMs: number;
  /** Of a request only what must be there, of an answer everything. */
  readonly whole: boolean;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** What fields of these names usually are; taken where the schema allows it. */
const usual: Readonly<Record<string, string | number>> = {
  lat: 40.7484,
  lon: -73.9857,
  name: 'Anna Example',
  line1: '350 Fifth Avenue',
  line2: 'Floor 20',
  city: 'New York',
  region: 'NY',
  postalCode: '10118',
  country: 'US',
  currency: 'USD',
  amountMinor: 1250,
  quantity: 1,
  description: 'Shoes, size 42',
  reason: 'Changed my mind',
  notes: 'Ring twice',
  reference: 'R-1001',
  retailer: 'The Store',
  customerId: 'anna',
  driverId: 'd1',
  partnerId: 'shop',
  deviceId: 'phone',
  username: 'd1.phone',
  email: 'anna@example.com',
  phone: '+12125550100',
  locale: 'en',
  timeZone: 'America/New_York',
  url: 'https://shop.example/webhooks',
  expiresInSeconds: 3600,
  vehicle: 'van',
  traceId: '0af7651916cd43dd8448eb211c80319c',
  trace_id: '0af7651916cd43dd8448eb211c80319c',
  queue: 'payments.authorise',
  topic: 'drivers/d1/location',
};

const formats: Readonly<Record<string, string>> = {
  uuid: '01a204f9-41f0-7423-8dd5-d3e55a9f64a8',
  time: '10:00:00Z',
  duration: 'PT1H',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  email: 'anna@example.com',
  uri: 'https://shop.example/webhooks',
  'uri-reference': '/problems/not-found',
  hostname: 'shop.example',
};

export function stringExample(schema: JsonSchema, name: string, { nowMs }: ExampleContext): string {
  const { format, pattern } = schema as { readonly format?: string; readonly pattern?: string };
  if (format === 'date-time') return new Date(instantOf(name, nowMs)).toISOString();
  if (format === 'date') return new Date(instantOf(name, nowMs)).toISOString().slice(0, 10);
  const known = format === undefined ? undefined : formats[format];
  if (known !== undefined) return known;
  const named = usual[name] ?? (name.endsWith('Id') ? formats['uuid'] : undefined);
  if (typeof named === 'string' && fitsText(schema, named)) return named;
  const { minLength = 0, maxLength = Infinity } = schema as {
    readonly minLength?: number;
    readonly maxLength?: number;
  };
  if (pattern !== undefined) return createPatternExample(pattern) ?? 'example';
  return 'example'.padEnd(minLength, '-').slice(0, maxLength);
}

function fitsText(schema: JsonSchema, text: string): boolean {
  const {
    pattern,
    minLength = 0,
    maxLength = Infinity,
  } = schema as {
    readonly pattern?: string;
    readonly minLength?: number;
    readonly maxLength?: number;
  };
  return (
    text.length >= minLength &&
    text.length <= maxLength &&
    (pattern === undefined || compilePattern(pattern).test(text))
  );
}

/** Tomorrow morning; what ends, ends two hours later. */
function instantOf(name: string, nowMs: number): number {
  const morning = Math.floor(nowMs / dayMs) * dayMs + dayMs + 10 * hourMs;
  return /^(?:end|to|until)$|End$|Until$|^expires/.test(name) ? morning + 2 * hourMs : morning;
}

export function numberExample(schema: JsonSchema, name: string): number {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, type } = schema as Readonly<
    Record<string, number | undefined>
  > & { readonly type?: unknown };
  const step = multipleOf ?? 1;
  const least = minimum ?? (exclusiveMinimum === undefined ? undefined : exclusiveMinimum + step);
  const most = maximum ?? (exclusiveMaximum === undefined ? undefined : exclusiveMaximum - step);
  const named = usual[name];
  const wanted = typeof named === 'number' ? named : 1;
  const bounded = Math.min(Math.max(wanted, least ?? wanted), most ?? Infinity);
  const whole = type === 'integer' ? Math.ceil(bounded) : bounded;
  return multipleOf === undefined ? whole : Math.ceil(whole / multipleOf) * multipleOf;
}

import { parseNetResource } from './permission-net.ts';
import type { GrantablePermission } from './permission-names.ts';
import { splitVerb } from './permission-match.ts';

export const resourceCharactersMax = 300;

interface Form {
  readonly verbs?: readonly string[];
  readonly pattern: RegExp;
  /** What would be right, with an example. */
  readonly expected: string;
}

const dotted = /^(\*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?)$/;
const path = /^(\/|(\/([A-Za-z0-9._~-]+|\{[A-Za-z][A-Za-z0-9_]*\}))+)$/;
const view = /^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$/;

const forms: Record<GrantablePermission, Form> = {
  http: {
    pattern: path,
    expected: 'a path prefix such as "/orders", or "public GET /orders/{orderId}/track" for one public route',
  },
  db: { pattern: view, expected: 'a view such as "tracking.driver_position", or "publish driver_position"' },
  jobs: { pattern: dotted, expected: 'a queue such as "parcels.expire" or "parcels.*"' },
  events: {
    verbs: ['publish', 'subscribe'],
    pattern: dotted,
    expected: 'an event such as "publish order.created" or "subscribe order.*"',
  },
  mqtt: {
    verbs: ['subscribe', 'publish', 'issue'],
    pattern: /^(?!.*#.)(#|([^+#\0]+|\+)?)(\/(#|[^+#/\0]*|\+))*$/,
    expected: 'a topic filter such as "subscribe drivers/+/location"',
  },
  live: {
    pattern:
      /^(\*|([A-Za-z0-9._~:-]+|\{[A-Za-z][A-Za-z0-9_]*\})(\/([A-Za-z0-9._~:-]+|\{[A-Za-z][A-Za-z0-9_]*\}))*(\/\*)?)$/,
    expected: 'a channel such as "orders/{orderId}/position" or "orders/*"',
  },
  net: {
    pattern: /^[^\s]+$/,
    expected: '"host:port" such as "api.stripe.com:443", "*.example.com:443", or a block such as "10.0.0.0/8:443"',
  },
  mail: {
    pattern: /^(\*|(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+)$/,
    expected: 'a domain of recipients in lower case such as "example.com" or "*.example.com", or "*"',
  },
  env: { pattern: /^([A-Za-z_][A-Za-z0-9_]*\*?|\*)$/, expected: 'a variable such as "STRIPE_KEY" or "STRIPE_*"' },
  read: {
    pattern: /^(?!.*(^|\/)\.\.?(\/|$))\/?[^\0*]+$/,
    expected: 'a path such as "assets/templates" or "/usr/share/zoneinfo", without ".", ".." or "*"',
  },
};

/** How a resource of this permission is written, for a message. */
export function expectedForm(permission: GrantablePermission): string {
  return forms[permission].expected;
}

/**
 * What is wrong with a resource in a request or a grant; undefined when nothing is. A grant may leave out the port
 * (any port that was asked for), a request may not.
 */
export function resourceProblem(
  permission: GrantablePermission,
  resource: string,
  options: { readonly portRequired?: boolean } = {},
): string | undefined {
  const form = forms[permission];
  const { verb, rest } = splitVerb(permission, resource);
  const verbRight = form.verbs === undefined || form.verbs.includes(verb);
  const wrong = `must be ${form.expected}: it is ${JSON.stringify(resource.slice(0, resourceCharactersMax))}`;
  if (resource.length > resourceCharactersMax) return `must have at most ${resourceCharactersMax} characters`;
  if (resource.includes(',')) return `must not hold a comma: it is ${JSON.stringify(resource)}`;
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (!verbRight || !form.pattern.test(rest) || /[\u0000-\u001f\u007f]/.test(resource)) return wrong;
  if (permission === 'net') return netProblem(resource, options.portRequired === true) ?? undefined;
  if (permission === 'db' && verb === '' && !rest.includes('.')) return wrong;
  return undefined;
}

function netProblem(resource: string, portRequired: boolean): string | undefined {
  const parsed = parseNetResource(resource);
  if (parsed === undefined) return `must be ${forms.net.expected}: it is ${JSON.stringify(resource)}`;
  if (portRequired && parsed.port === null)
    return `must name a port, such as "${resource}:443": it is ${JSON.stringify(resource)}`;
  return undefined;
}

import type { HttpStep } from '../http-context.ts';

/**
 * An API answers data to programs: nothing may be framed, sniffed, cached by default or run. Strict-Transport-Security is
 * for whoever ends TLS in front of this server.
 */
const headers = Object.entries({
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
});

/** Set first, so that a route's own `cache-control` or the documentation's policy can replace them. */
export function securityHeaders(): HttpStep {
  return (ctx) => {
    for (const [name, value] of headers) ctx.res.setHeader(name, value);
    return undefined;
  };
}

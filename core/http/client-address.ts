import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/**
 * Where a request comes from. A proxy's word is taken only when the proxy is ours: of `X-Forwarded-For` counts the last
 * entry that is not one of our proxies, for everything before it is what the client says of itself.
 *
 * @param trustedProxies addresses as the core sees them (HTTP_TRUSTED_PROXIES)
 */
export function clientAddress(request: IncomingMessage, trustedProxies: readonly string[]): string {
  const peer = normalize(request.socket.remoteAddress ?? 'unknown');
  if (trustedProxies.length === 0 || !trustedProxies.includes(peer)) return peer;
  const forwarded = [request.headers['x-forwarded-for'] ?? []].flat().join(',').split(',').map(normalize);
  return forwarded.findLast((address) => isIP(address) !== 0 && !trustedProxies.includes(address)) ?? peer;
}

/** An IPv4 address behind an IPv6 socket is the same client. */
function normalize(address: string): string {
  const trimmed = address.trim();
  return trimmed.startsWith('::ffff:') ? trimmed.slice(7) : trimmed;
}

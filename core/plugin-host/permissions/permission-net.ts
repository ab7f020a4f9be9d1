/**
 * `net` resources: `host:port`, `*.host:port`, `*:port`, an address (`192.0.2.1:443`, `[2001:db8::1]:443`) or a block of
 * addresses (`10.0.0.0/8:443`, `[fd00::/8]:443`). The port is always written; a grant or a denial may leave it out and
 * then means every port. A private address is covered by a block or by itself, never by a host name: who grants
 * `*.example.com` has not granted what that name may one day resolve to.
 */
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

export type NetHost =
  | { readonly kind: 'any' }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'below'; readonly suffix: string }
  | { readonly kind: 'address'; readonly address: Address }
  | { readonly kind: 'block'; readonly base: Address; readonly bits: number };

export interface NetResource {
  readonly host: NetHost;
  /** null: every port. */
  readonly port: number | null;
}

const hostName = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/** undefined when the text is none of the forms. */
export function parseNetResource(text: string): NetResource | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text.toLowerCase());
  if (match === null) return undefined;
  const port = match[3] === undefined ? null : Number(match[3]);
  if (port !== null && (port < 1 || port > 65_535)) return undefined;
  const host = match[1] === undefined ? parseHost(match[2] ?? '') : parseAddress(match[1], 'ipv6');
  return host === undefined ? undefined : { host, port };
}

function parseHost(text: string): NetHost | undefined {
  if (text === '*') return { kind: 'any' };
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  if (name.startsWith('*.')) return hostName.test(name.slice(2)) ? { kind: 'below', suffix: name.slice(1) } : undefined;
  // What ends in a number is an address to every resolver (`10.1`, `0x7f.1`): only the plain four numbers are taken.
  if (/(^|\.)(\d+|0x[0-9a-f]*)$/.test(name) || name.includes('/')) return parseAddress(name, 'ipv4');
  return hostName.test(name) ? { kind: 'name', name } : undefined;
}

function parseAddress(text: string, kind: 'ipv4' | 'ipv6'): NetHost | undefined {
  const [address = '', bits, rest] = text.split('/');
  const valid = kind === 'ipv4' ? ipaddr.IPv4.isValidFourPartDecimal(address) : ipaddr.IPv6.isValid(address);
  if (!valid || address.includes('%') || rest !== undefined) return undefined;
  if (bits === undefined) return { kind: 'address', address: ipaddr.process(address) };
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > (kind === 'ipv4' ? 32 : 128)) return undefined;
  return { kind: 'block', base: ipaddr.parse(address), bits: Number(bits) };
}

/** Whatever is not reachable from everywhere: private, loopback, link-local, multicast, reserved and the like. */
export function isPrivateAddress(address: string): boolean {
  return !ipaddr.isValid(address) || !isPublic(ipaddr.process(address));
}

/** All that is handed out of IPv6 for everybody's use (RFC 4291, IANA); `::127.0.0.1` and what nobody has named lies outside. */
const [globalUnicast, globalUnicastBits] = ipaddr.IPv6.parseCIDR('2000::/3');

function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast') return false;
  return address.kind() === 'ipv4' || address.match(globalUnicast, globalUnicastBits);
}

/** True when `resource` is an address (not a name) that is private. */
export function isPrivateNetResource(resource: string): boolean {
  const host = parseNetResource(resource)?.host;
  return host?.kind === 'address' && !isPublic(host.address);
}

export function netCovers(outer: NetResource, inner: NetResource): boolean {
  return (outer.port === null || outer.port === inner.port) && hostCovers(outer.host, inner.host);
}

function hostCovers(outer: NetHost, inner: NetHost): boolean {
  switch (outer.kind) {
    case 'any':
      return inner.kind !== 'block' && (inner.kind !== 'address' || isPublic(inner.address));
    case 'name':
      return inner.kind === 'name' && inner.name === outer.name;
    case 'below':
      if (inner.kind === 'below') return inner.suffix.endsWith(outer.suffix);
      return inner.kind === 'name' && inner.name.endsWith(outer.suffix);
    case 'address':
      return inner.kind === 'address' && inner.address.toString() === outer.address.toString();
    default:
      return blockCovers(outer, inner);
  }
}

function blockCovers(outer: NetHost & { readonly kind: 'block' }, inner: NetHost): boolean {
  if (inner.kind !== 'address' && inner.kind !== 'block') return false;
  const base = inner.kind === 'address' ? inner.address : inner.base;
  if (base.kind() !== outer.base.kind() || (inner.kind === 'block' && inner.bits < outer.bits)) return false;
  return base.match(outer.base, outer.bits);
}

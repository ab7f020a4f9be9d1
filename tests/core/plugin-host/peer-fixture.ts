import { type Duplex, duplexPair } from 'node:stream';
import { fromWireError } from '#core/errors/wire-error.ts';
import { createPeer, type Peer, type PeerOptions } from '#core/plugin-host/protocol/peer.ts';
import type { ProtocolViolation } from '#core/plugin-host/protocol/protocol-violation.ts';

export function frame(value: unknown): Buffer {
  const json = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  const header = Buffer.alloc(4);
  header.writeUInt32BE(json.length);
  return Buffer.concat([header, json]);
}

export function peerOn(stream: Duplex, options: Partial<PeerOptions> = {}): Peer {
  return createPeer({
    stream,
    frameMaxBytes: 65_536,
    callsInFlightMax: 8,
    callsQueuedMax: 16,
    callTimeoutMs: 5000,
    onCall: (call) => call.args,
    onNote: () => {},
    toError: (wire) => fromWireError(wire, 'PLUGIN_FAILED'),
    onViolation: () => {},
    onClose: () => {},
    ...options,
  });
}

export function pair(left: Partial<PeerOptions> = {}, right: Partial<PeerOptions> = {}): [Peer, Peer] {
  const [a, b] = duplexPair({ highWaterMark: 65_536 });
  return [peerOn(a, left), peerOn(b, right)];
}

/** A core-side peer and the raw stream of a sender that keeps to no rule. */
export function hostile(options: Partial<PeerOptions> = {}): {
  raw: Duplex;
  violation: Promise<ProtocolViolation>;
  peer: Peer;
} {
  const [a, raw] = duplexPair({ highWaterMark: 65_536 });
  const { promise, resolve } = Promise.withResolvers<ProtocolViolation>();
  return { raw, peer: peerOn(a, { onViolation: resolve, ...options }), violation: promise };
}

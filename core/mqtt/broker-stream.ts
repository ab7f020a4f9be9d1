import { connect as connectTcp } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { createWebSocketStream, WebSocket } from 'ws';

const defaultPorts: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'mqtts:': 8883 };

/** The connection to a broker, before any MQTT: TCP, TLS or WebSocket by the URL's protocol. */
export function openBrokerStream(url: URL): Duplex {
  // A URL writes an IPv6 address in brackets.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port) || (defaultPorts[url.protocol] ?? 0);
  switch (url.protocol) {
    case 'mqtt:':
      return connectTcp({ host, port, noDelay: true });
    case 'mqtts:':
      return connectTls({ host, port, servername: host });
    default: {
      const plain = new URL(url);
      plain.username = '';
      plain.password = '';
      // Packing what is small and goes next door costs more than it saves.
      return createWebSocketStream(new WebSocket(plain, ['mqtt'], { perMessageDeflate: false }));
    }
  }
}

import type { Channel } from './channel.ts';
import type { HttpProvider } from './http-provider.ts';

/** SMS: `{"id", "to", "text"}`. */
export function createSmsChannel(provider: HttpProvider): Channel {
  return {
    name: 'sms',
    send: ({ id, address, body }) => provider.post(id, { id, to: address, text: body }),
  };
}

/** Push messages to apps: `{"id", "to", "title", "body", "data"}`; the data says what a tap opens. */
export function createPushChannel(provider: HttpProvider): Channel {
  return {
    name: 'push',
    send: ({ id, address, title, body, orderId, template }) =>
      provider.post(id, { id, to: address, title, body, data: { orderId, template } }),
  };
}

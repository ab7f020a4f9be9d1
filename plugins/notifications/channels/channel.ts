import type { TemplateName } from '../audience.ts';
import type { Recipient } from '../facts.ts';
import type { ContactChannel } from '../person.ts';

export interface OutgoingMessage {
  /** Of the notification: whoever gets it twice can tell by it. */
  readonly id: string;
  readonly recipient: Recipient;
  readonly address: string;
  readonly orderId: string | null;
  readonly template: TemplateName;
  readonly locale: string;
  readonly title: string;
  readonly body: string;
  readonly html: string | null;
}

/** How it went. A reason has no address, no text and no secret in it: it is shown to ops. */
export type Delivery =
  | { readonly kind: 'sent' }
  /** For good: the address is wrong, or it will not be had. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** It was not sent, and may be later. */
  | { readonly kind: 'deferred'; readonly reason: string; readonly retryAfterMs?: number }
  /** It may have been sent: it is sent again under the same id. */
  | { readonly kind: 'uncertain'; readonly reason: string };

/** A way to reach people. A throw is a fault of ours. */
export interface Channel {
  readonly name: ContactChannel;
  send(message: OutgoingMessage): Promise<Delivery>;
}

/** Part of the plugin API: messages of devices, and live channels. */
import type { Principal } from './http.ts';

export interface MqttMessage {
  readonly topic: string;
  /** UTF-8 text. A payload that is not is refused before the plugin sees it, unless it asked to (`refused`). */
  readonly payload: string;
  /**
   * Set on what cannot be handed over as a message, for a subscription with `handOverRefused`. Then `payload` is the
   * first 8 KiB in base64, and the verdict says no more than that it was noted.
   */
  readonly refused?: { readonly reason: 'encoding' | 'too-large'; readonly payloadBytes: number };
  /** The broker's user that published it; null when an external broker does not tell. */
  readonly username: string | null;
  /** ISO 8601. */
  readonly receivedAt: string;
  readonly retained: boolean;
  readonly duplicate: boolean;
}

/** `accepted` and `rejected` are acknowledged; when the handler throws, the batch is not, and comes again. */
export type Verdict = 'accepted' | { readonly rejected: string };

export interface SubscribeOptions {
  /** @default 500 */
  readonly batchSizeMax?: number;
  /** @default 20 */
  readonly batchWaitMs?: number;
  /**
   * Batches that the handler takes at the same time, at most 4. Another one comes only while all goes well, and full: it is
   * read while the database works on the first. Messages of one device may then be handled out of order. @default 1
   */
  readonly batchesMax?: number;
  /** Hands over also what is no message: not UTF-8, or larger than a frame carries. @default false */
  readonly handOverRefused?: boolean;
}

export interface PublishOptions {
  /** @default 0 */
  readonly qos?: 0 | 1;
  /** @default false */
  readonly retain?: boolean;
  /**
   * Of quality of service 1: so long the message waits for devices that are away; after that nobody gets it. Whole seconds,
   * at most a day; not with `retain`. @default it waits for nobody at the embedded broker, and as the session says at another
   */
  readonly expirySeconds?: number;
}

export interface DeviceCredentials {
  readonly username: string;
  /** Shown once; the core stores a hash. */
  readonly password: string;
}

export interface Mqtt {
  /** The handler answers one verdict per message, in order; only then are they acknowledged. */
  subscribe(
    filter: string,
    options: SubscribeOptions,
    handler: (messages: readonly MqttMessage[]) => Promise<readonly Verdict[]>,
  ): void;
  publish(topic: string, payload: object | string, options?: PublishOptions): Promise<void>;
  /** Creates or replaces the credentials of a device, which may then publish and subscribe to these filters alone. */
  issueCredentials(device: {
    readonly username: string;
    readonly publish: readonly string[];
    readonly subscribe?: readonly string[];
  }): Promise<DeviceCredentials>;
  /** Disconnects the device at once. */
  revokeCredentials(username: string): Promise<void>;
}

// live
export type WatchDecision =
  | { readonly allowed: true; readonly snapshot?: object; readonly version?: number }
  | { readonly allowed: false; readonly reason: string };

export interface Live {
  /** Declares channels such as `orders/{orderId}/position`; `authorize` decides for each client that wants to watch one. */
  channel(
    pattern: string,
    authorize: (watch: {
      readonly principal: Principal;
      readonly params: Readonly<Record<string, string>>;
      /** The id of the share link that was shown; the principal is anonymous then. */
      readonly link?: string;
    }) => Promise<WatchDecision>,
  ): void;
  /** `version` (a fix time in ms, say) makes the channel move only forward: a value with a version not above the newest is dropped. */
  publish(channel: string, data: object, options?: { readonly version?: number }): Promise<void>;
  /** Ends the stream for everybody who watches it. */
  close(channel: string, reason: string): Promise<void>;
  /**
   * A token that opens this channel and nothing else, for who has no account. `authorize` is asked with its id as `link`,
   * each time: the plugin keeps which ids it has revoked. It is audited.
   */
  issueLink(channel: string, link: { readonly id: string; readonly expiresInSeconds: number }): Promise<ShareLink>;
  /**
   * To be called once the plugin has put down that a link is revoked: `authorize` is asked again for everybody who watches
   * the channel, and for who may no longer the stream ends. It is audited.
   */
  revokeLink(channel: string, id: string): Promise<void>;
}

export interface ShareLink {
  /** Sent as a bearer token to `/live`; whoever has it may watch. */
  readonly token: string;
  /** ISO 8601. */
  readonly expiresAt: string;
}

import type { CredentialRecord } from './credential-store.ts';
import { mayPublish } from './device-access.ts';
import type { PublishHead } from './frame.ts';
import type { DirectMessage, MessageConnection } from './message-connection.ts';
import type { MessageRouter } from './message-router.ts';
import type { WatchedTopics } from './watched-topics.ts';

interface Decision {
  readonly topic: string;
  readonly credential: CredentialRecord;
  readonly isAllowed: boolean;
}

/**
 * What a device sends to plugins alone needs nothing of the broker library, which would parse it again and offer it to every
 * subscriber. Anything else takes the library's way: what a device subscribes to, what no plugin wants, what is refused.
 */
export function createDirectDeviceMessages(options: {
  readonly router: Pick<MessageRouter, 'isSubscribed'>;
  readonly watched: Pick<WatchedTopics, 'matches'>;
}): (head: PublishHead, connection: MessageConnection) => DirectMessage | undefined {
  const { router, watched } = options;
  /** A device has one topic, or two. */
  const decisions = new WeakMap<MessageConnection, Decision>();

  function isAllowed(connection: MessageConnection, credential: CredentialRecord, topic: string): boolean {
    const known = decisions.get(connection);
    if (known?.topic === topic && known.credential === credential) return known.isAllowed;
    const decision = { topic, credential, isAllowed: mayPublish(credential, topic) };
    decisions.set(connection, decision);
    return decision.isAllowed;
  }

  return ({ topic, body }, connection) => {
    const { credential } = connection;
    if (credential === undefined || !router.isSubscribed(topic) || watched.matches(topic)) return undefined;
    // The retain flag of a device is ignored, as on the library's way.
    return isAllowed(connection, credential, topic) ? { payload: body, retained: false } : undefined;
  };
}

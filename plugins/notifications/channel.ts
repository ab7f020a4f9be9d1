import type { Log } from '#plugin-api';
import type { Recipient } from './notification.ts';

export interface OutgoingMessage {
  /** Of the notification: a channel that can tells a repetition by it. */
  readonly id: string;
  readonly recipient: Recipient;
  readonly template: string;
  readonly title: string;
  readonly body: string;
}

/** A way to reach people. A throw means that the message may not have been sent, and it is sent again. */
export interface Channel {
  readonly name: string;
  send(message: OutgoingMessage): Promise<void>;
}

/** Writes that a message was sent, without what it says: texts may name people and places. */
export function createLogChannel(log: Log): Channel {
  return {
    name: 'log',
    send({ id, recipient, template }) {
      log.info('notification sent', {
        notificationId: id,
        recipientRole: recipient.role,
        recipientId: recipient.id,
        template,
      });
      return Promise.resolve();
    },
  };
}

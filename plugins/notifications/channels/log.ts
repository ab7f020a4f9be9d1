import type { Log } from '#plugin-api';
import type { Channel } from './channel.ts';

/** Writes that there was something to tell, without what it says: texts may name people and places. */
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
      return Promise.resolve({ kind: 'sent' });
    },
  };
}

import type { Live } from '#plugin-api';
import type { CoreConnection } from '../core-connection.ts';
import type { Registrations } from './registrations.ts';

export function createLive(core: CoreConnection, registrations: Registrations): Live {
  return Object.freeze({
    channel(pattern: string, authorize: Parameters<Live['channel']>[1]): void {
      registrations.add('live.channel', `channel ${pattern}`, () => ({
        pattern,
        handler: core.handler('live.channel', (input) => authorize(input)),
      }));
    },
    async publish(channel: string, data: object, options: { readonly version?: number } = {}): Promise<void> {
      const { version } = options;
      await core.call('live.publish', { channel, data, ...(version === undefined ? {} : { version }) });
    },
    close: async (channel: string, reason: string) => void (await core.call('live.close', { channel, reason })),
    issueLink: (channel: string, link: Parameters<Live['issueLink']>[1]) =>
      core.call('live.issueLink', { channel, id: link.id, expiresInSeconds: link.expiresInSeconds }),
    revokeLink: async (channel: string, id: string) => void (await core.call('live.revokeLink', { channel, id })),
  });
}

import type { DomainEvent, Events, SubscriptionOptions, Transaction } from '#plugin-api';
import type { CoreConnection } from '../core-connection.ts';
import type { Registrations } from './registrations.ts';

export function createEvents(
  core: CoreConnection,
  registrations: Registrations,
  openTransaction: (tx: string) => Transaction,
): Events {
  return Object.freeze({
    publish: async (event: string, data: object) => void (await core.call('events.publish', { event, data })),
    on<Data>(
      event: string,
      run: (event: DomainEvent<Data>, tx: Transaction) => Promise<void>,
      options: SubscriptionOptions = {},
    ): void {
      registrations.add('events.on', `handler of ${event}`, () => ({
        ...options,
        event,
        handler: core.handler('events.on', async (input) => {
          await run(input.event as DomainEvent<Data>, openTransaction(input.tx));
          return null;
        }),
      }));
    },
  });
}

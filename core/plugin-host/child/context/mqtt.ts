import type { DeviceCredentials, Mqtt, MqttMessage, SubscribeOptions, Verdict } from '#plugin-api';
import type { CoreConnection } from '../core-connection.ts';
import type { Registrations } from './registrations.ts';

const batchSizeDefault = 500;
const batchWaitDefaultMs = 20;

export function createMqtt(core: CoreConnection, registrations: Registrations): Mqtt {
  return Object.freeze({
    subscribe(
      filter: string,
      options: SubscribeOptions,
      run: (messages: readonly MqttMessage[]) => Promise<readonly Verdict[]>,
    ): void {
      registrations.add('mqtt.subscribe', `subscription of ${filter}`, () => ({
        filter,
        batchSizeMax: options.batchSizeMax ?? batchSizeDefault,
        batchWaitMs: options.batchWaitMs ?? batchWaitDefaultMs,
        ...(options.batchesMax === undefined ? {} : { batchesMax: options.batchesMax }),
        ...(options.handOverRefused === true ? { handOverRefused: true } : {}),
        handler: core.handler('mqtt.subscribe', async ({ messages }) => ({ verdicts: await run(messages) })),
      }));
    },
    async publish(
      topic: string,
      payload: object | string,
      { qos = 0, retain = false, expirySeconds }: Parameters<Mqtt['publish']>[2] = {},
    ): Promise<void> {
      const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
      const expiry = expirySeconds === undefined ? {} : { expirySeconds };
      await core.call('mqtt.publish', { topic, payload: text, qos, retain, ...expiry });
    },
    issueCredentials: ({
      username,
      publish,
      subscribe = [],
    }: Parameters<Mqtt['issueCredentials']>[0]): Promise<DeviceCredentials> =>
      core.call('mqtt.issueCredentials', { username, publish, subscribe }),
    revokeCredentials: async (username: string) => void (await core.call('mqtt.revokeCredentials', { username })),
  });
}

import { Type } from 'typebox';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import { createBatcher, type Batcher } from '#core/mqtt/batching.ts';
import type { Credentials } from '#core/mqtt/credentials.ts';
import { usernamePattern } from '#core/mqtt/device-username.ts';
import type { IncomingMessage } from '#core/mqtt/incoming-message.ts';
import { isTopic, isTopicFilter } from '#core/mqtt/topic-filter.ts';
import type { MqttTransport } from '#core/mqtt/transport.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { method, type Access, type Call, type Capability } from '../capability.ts';
import type { PluginCalls } from '../protocol/calls.ts';

type SubscribeArgs = PluginCalls['mqtt.subscribe']['args'];
type PublishArgs = PluginCalls['mqtt.publish']['args'];
type IssueArgs = PluginCalls['mqtt.issueCredentials']['args'];

const subscriptionsPerPluginMax = 50;
/** JSON writes one byte of a payload as up to six (`\u0000`), and each message has fields of its own. */
const jsonGrowthMax = 6;
const frameReserveBytes = 1024;

const Filter = Type.String({ minLength: 1, maxLength: 1000 });
const Username = Type.String({ pattern: usernamePattern });
const SubscribeSchema = Type.Object(
  {
    filter: Filter,
    batchSizeMax: Type.Integer({ minimum: 1, maximum: 5000 }),
    batchWaitMs: Type.Number({ minimum: 0, maximum: 60_000 }),
    handler: Type.Integer({ minimum: 0 }),
  },
  { additionalProperties: false },
);
const PublishSchema = Type.Object(
  {
    topic: Filter,
    payload: Type.String(),
    qos: Type.Union([Type.Literal(0), Type.Literal(1)]),
    retain: Type.Boolean(),
  },
  { additionalProperties: false },
);
const IssueSchema = Type.Object(
  {
    username: Username,
    publish: Type.Array(Filter, { minItems: 1, maxItems: 32 }),
    subscribe: Type.Array(Filter, { maxItems: 32 }),
  },
  { additionalProperties: false },
);
const RevokeSchema = Type.Object({ username: Username }, { additionalProperties: false });

export interface MqttCapabilityOptions {
  readonly transport: MqttTransport;
  readonly credentials: Credentials;
  readonly telemetry: Telemetry;
  readonly config: Config;
  /** Gets what is acknowledged without being accepted, by topic filter of the subscription. */
  readonly onRejected?: (message: IncomingMessage, reason: string, filter: string) => void;
}

function access(verb: 'subscribe' | 'publish' | 'issue', resource: string): Access {
  return { permission: 'mqtt', resource: `${verb} ${resource}` };
}

function assertFilter(filter: string): void {
  if (isTopicFilter(filter) && !filter.startsWith('$')) return;
  throw new AppError(
    'INVALID_CALL',
    `Cannot use topic filter "${filter}": '+' and '#' must be whole levels, '#' the last, and the first must not begin with '$'`,
  );
}

/** MQTT for plugins: messages of devices in batches, acknowledged by verdict; publishing; credentials of devices. */
export function createMqttCapability(options: MqttCapabilityOptions): Capability {
  const { transport, config } = options;
  const batchers = new Map<string, Map<string, Batcher>>();
  const log = options.telemetry.logger.child({ component: 'mqtt' });
  let toldOfExternal = false;
  const published = options.telemetry.metrics.counter('returnit_mqtt_messages_published_total');

  function createSubscription(plugin: string, filter: string): Batcher {
    const { onRejected } = options;
    return createBatcher({
      plugin,
      filter,
      telemetry: options.telemetry,
      batchSizeMax: config.mqttBatchSizeMax,
      batchWaitMs: config.mqttBatchWaitMs,
      batchMaxBytes: Math.floor(config.pluginFrameMaxBytes / (2 * jsonGrowthMax)),
      payloadMaxBytes: Math.floor((config.pluginFrameMaxBytes - frameReserveBytes) / (2 * jsonGrowthMax)),
      waitingMax: Math.ceil(config.mqttInflightMax / 2),
      retryDelayMs: config.mqttRetryDelayMs,
      ...(onRejected === undefined ? {} : { onRejected: (message, reason) => onRejected(message, reason, filter) }),
    });
  }

  async function subscribe(args: SubscribeArgs, { instance }: Call): Promise<null> {
    assertFilter(args.filter);
    const plugin = instance.plugin.name;
    const own = batchers.getOrInsertComputed(plugin, () => new Map<string, Batcher>());
    let batcher = own.get(args.filter);
    if (batcher === undefined) {
      if (own.size >= subscriptionsPerPluginMax) {
        throw new AppError(
          'OVERLOADED',
          `Cannot subscribe: ${plugin} has ${subscriptionsPerPluginMax} subscriptions already`,
        );
      }
      batcher = createSubscription(plugin, args.filter);
      own.set(args.filter, batcher);
      await transport.subscribe(plugin, args.filter, batcher);
    }
    const subscription = batcher;
    const handle = (messages: readonly unknown[]): Promise<unknown> =>
      instance.handle(args.handler, { messages }, { timeoutMs: config.pluginCallTimeoutMs });
    instance.gone.addEventListener('abort', () => subscription.detach(handle), { once: true });
    if (!instance.gone.aborted) subscription.attach(handle, args);
    return null;
  }

  async function publish({ topic, payload, qos, retain }: PublishArgs, { instance }: Call): Promise<null> {
    const plugin = instance.plugin.name;
    if (!isTopic(topic) || topic.startsWith('$')) {
      throw new AppError(
        'INVALID_CALL',
        `Cannot publish to "${topic}": a topic has no '+' or '#' and does not begin with '$'`,
      );
    }
    const bytes = Buffer.byteLength(payload);
    if (bytes > config.mqttPacketMaxBytes) {
      throw new AppError(
        'INVALID_CALL',
        `Cannot publish ${bytes} bytes: at most ${config.mqttPacketMaxBytes} are allowed`,
      );
    }
    try {
      await transport.publish(topic, payload, { qos, retain });
    } catch (error) {
      published.inc({ plugin, outcome: 'error' });
      throw error;
    }
    published.inc({ plugin, outcome: 'ok' });
    return null;
  }

  function tellOfExternal(): void {
    if (transport.kind !== 'external' || toldOfExternal) return;
    toldOfExternal = true;
    log.warn('Credentials are recorded only: the external broker admits devices by its own list');
  }

  return {
    name: 'mqtt',
    methods: {
      subscribe: method<SubscribeArgs>({
        args: SubscribeSchema,
        access: ({ filter }) => [access('subscribe', filter)],
        run: subscribe,
      }),
      publish: method<PublishArgs>({
        args: PublishSchema,
        access: ({ topic }) => [access('publish', topic)],
        run: publish,
      }),
      issueCredentials: method<IssueArgs>({
        args: IssueSchema,
        access: (device) => [...device.publish, ...device.subscribe].map((filter) => access('issue', filter)),
        run(device, { instance }) {
          for (const filter of [...device.publish, ...device.subscribe]) assertFilter(filter);
          tellOfExternal();
          return options.credentials.issue(instance.plugin.name, device);
        },
      }),
      revokeCredentials: method<{ username: string }>({
        args: RevokeSchema,
        async run({ username }, { instance }) {
          await options.credentials.revoke(instance.plugin.name, username);
          return null;
        },
      }),
    },
    async stop() {
      await Promise.all([...batchers.values()].flatMap((own) => [...own.values()].map((batcher) => batcher.stop())));
    },
  };
}

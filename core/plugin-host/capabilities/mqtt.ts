import { Type } from 'typebox';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Batcher } from '#core/mqtt/batcher.ts';
import { createBatcher } from '#core/mqtt/batching.ts';
import type { Credentials } from '#core/mqtt/credentials.ts';
import { usernamePattern } from '#core/mqtt/device-username.ts';
import { isReserved, reservedLevel } from '#core/mqtt/reserved-topic.ts';
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
const expirySecondsMax = 86_400;

const Filter = Type.String({ minLength: 1, maxLength: 1000 });
const Username = Type.String({ pattern: usernamePattern });
const SubscribeSchema = Type.Object(
  {
    filter: Filter,
    batchSizeMax: Type.Integer({ minimum: 1, maximum: 5000 }),
    batchWaitMs: Type.Number({ minimum: 0, maximum: 60_000 }),
    batchesMax: Type.Optional(Type.Integer({ minimum: 1, maximum: 4 })),
    handOverRefused: Type.Optional(Type.Boolean()),
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
    expirySeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: expirySecondsMax })),
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
}

function access(verb: 'subscribe' | 'publish' | 'issue', resource: string): Access {
  return { permission: 'mqtt', resource: `${verb} ${resource}` };
}

function assertFilter(filter: string): void {
  if (isReserved(filter)) {
    throw new AppError(
      'INVALID_CALL',
      `Cannot use topic filter "${filter}": topics under "${reservedLevel}/" are the nodes' own, so the first level must be another name and no wildcard`,
    );
  }
  if (isTopicFilter(filter) && !filter.startsWith('$')) return;
  throw new AppError(
    'INVALID_CALL',
    `Cannot use topic filter "${filter}": '+' and '#' must be whole levels, '#' the last, and the first must not begin with '$'`,
  );
}

/** The subscriptions of all plugins. One lasts as long as the core: its messages wait while its plugin is away. */
class Subscriptions {
  readonly #options: MqttCapabilityOptions;
  readonly #batchers = new Map<string, Map<string, Batcher>>();

  constructor(options: MqttCapabilityOptions) {
    this.#options = options;
  }

  async attach(args: SubscribeArgs, { instance }: Call): Promise<void> {
    const batcher = await this.#find(instance.plugin.name, args.filter);
    const { pluginCallTimeoutMs: timeoutMs } = this.#options.config;
    const handle = (messages: readonly unknown[]): Promise<unknown> =>
      instance.handle(args.handler, { messages }, { timeoutMs });
    instance.gone.addEventListener('abort', () => batcher.detach(handle), { once: true });
    if (!instance.gone.aborted) batcher.attach(handle, args);
  }

  async stop(): Promise<void> {
    const all = this.#batchers.values().flatMap((own) => own.values());
    await Promise.all([...all].map((batcher) => batcher.stop()));
  }

  async #find(plugin: string, filter: string): Promise<Batcher> {
    const own = this.#batchers.getOrInsertComputed(plugin, () => new Map<string, Batcher>());
    const known = own.get(filter);
    if (known !== undefined) return known;
    if (own.size >= subscriptionsPerPluginMax) {
      const message = `Cannot subscribe: ${plugin} has ${subscriptionsPerPluginMax} subscriptions already`;
      throw new AppError('OVERLOADED', message);
    }
    const batcher = this.#create(plugin, filter);
    own.set(filter, batcher);
    await this.#options.transport.subscribe(plugin, filter, batcher);
    return batcher;
  }

  #create(plugin: string, filter: string): Batcher {
    const { config, telemetry } = this.#options;
    // Half a frame: JSON's growth is the worst case of payloads alone.
    const payloadsMaxBytes = Math.floor((config.pluginFrameMaxBytes - frameReserveBytes) / (2 * jsonGrowthMax));
    return createBatcher({
      plugin,
      filter,
      telemetry,
      batchSizeMax: config.mqttBatchSizeMax,
      batchWaitMs: config.mqttBatchWaitMs,
      batchMaxBytes: payloadsMaxBytes,
      payloadMaxBytes: payloadsMaxBytes,
      waitingMax: Math.ceil(config.mqttInflightMax / 2),
      retryDelayMs: config.mqttRetryDelayMs,
      promptPerSecond: config.mqttPromptPerSecond,
      promptBurst: config.mqttPromptBurst,
      backlogShare: config.mqttBacklogShare,
      sharedBatchSizeMax: config.mqttSharedBatchSizeMax,
    });
  }
}

function assertPublishable({ topic, payload, retain, expirySeconds }: PublishArgs, bytesMax: number): void {
  if (!isTopic(topic) || topic.startsWith('$') || isReserved(topic)) {
    const rule = `a topic has no '+' or '#' and begins neither with '$' nor with '${reservedLevel}/'`;
    throw new AppError('INVALID_CALL', `Cannot publish to "${topic}": ${rule}`);
  }
  if (retain && expirySeconds !== undefined) {
    throw new AppError('INVALID_CALL', `Cannot publish to "${topic}": a message that expires is not retained`);
  }
  const bytes = Buffer.byteLength(payload);
  if (bytes > bytesMax) {
    throw new AppError('INVALID_CALL', `Cannot publish ${bytes} bytes: at most ${bytesMax} are allowed`);
  }
}

/** MQTT for plugins: messages of devices in batches, acknowledged by verdict; publishing; credentials of devices. */
export function createMqttCapability(options: MqttCapabilityOptions): Capability {
  const { transport, config, telemetry, credentials } = options;
  const subscriptions = new Subscriptions(options);
  const published = telemetry.metrics.counter('returnit_mqtt_messages_published_total');
  let toldOfExternal = false;

  function tellOfExternal(): void {
    if (transport.kind !== 'external' || config.mqttAccounts !== 'none' || toldOfExternal) return;
    toldOfExternal = true;
    const log = telemetry.logger.child({ component: 'mqtt' });
    log.warn('Credentials are recorded only: the external broker admits devices by its own list (MQTT_ACCOUNTS)');
  }

  async function publish(args: PublishArgs, { instance }: Call): Promise<null> {
    assertPublishable(args, config.mqttPacketMaxBytes);
    let outcome = 'error';
    try {
      await transport.publish(args.topic, args.payload, args);
      outcome = 'ok';
    } finally {
      published.inc({ plugin: instance.plugin.name, outcome });
    }
    return null;
  }

  const methods = {
    subscribe: method<SubscribeArgs>({
      args: SubscribeSchema,
      access: ({ filter }) => [access('subscribe', filter)],
      async run(args, call) {
        assertFilter(args.filter);
        await subscriptions.attach(args, call);
        return null;
      },
    }),
    publish: method<PublishArgs>({
      args: PublishSchema,
      access: ({ topic }) => [access('publish', topic)],
      run: publish,
    }),
    issueCredentials: method<IssueArgs>({
      args: IssueSchema,
      access: (device) => [...device.publish, ...device.subscribe].map((filter) => access('issue', filter)),
      audited: { decision: 'issue', resource: ({ username }) => username },
      run(device, { instance }) {
        for (const filter of [...device.publish, ...device.subscribe]) assertFilter(filter);
        tellOfExternal();
        return credentials.issue(instance.plugin.name, device);
      },
    }),
    revokeCredentials: method<{ username: string }>({
      args: RevokeSchema,
      audited: { decision: 'withdraw', resource: ({ username }) => username },
      async run({ username }, { instance }) {
        await credentials.revoke(instance.plugin.name, username);
        return null;
      },
    }),
  };
  return { name: 'mqtt', methods, stop: () => subscriptions.stop() };
}

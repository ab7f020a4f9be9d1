import { Type } from 'typebox';
import type { Principal, WatchDecision } from '#plugin-api';
import type { LiveHub } from '#core/live/hub.ts';
import { AppError } from '#core/errors/app-error.ts';
import { compileArguments } from '../call-arguments.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import { method, type Access, type Capability } from '../capability.ts';

const Channel = Type.String({ minLength: 1, maxLength: 400 });
const ChannelArgs = Type.Object(
  { pattern: Channel, handler: Type.Integer({ minimum: 0 }) },
  { additionalProperties: false },
);
const PublishArgs = Type.Object(
  { channel: Channel, data: Type.Object({}), version: Type.Optional(Type.Number()) },
  { additionalProperties: false },
);
const CloseArgs = Type.Object(
  { channel: Channel, reason: Type.String({ maxLength: 200 }) },
  { additionalProperties: false },
);
const Decision = Type.Union([
  Type.Object({
    allowed: Type.Literal(true),
    snapshot: Type.Optional(Type.Object({})),
    version: Type.Optional(Type.Number()),
  }),
  Type.Object({ allowed: Type.Literal(false), reason: Type.String({ maxLength: 200 }) }),
]);

/** Live channels: a plugin declares who may watch and publishes values; the hub brings them to the clients. */
export function createLiveCapability(options: { readonly hub: LiveHub }): Capability {
  const { hub } = options;
  const checkDecision = compileArguments('live.channel', Decision);
  const live = (channel: string): readonly Access[] => [{ permission: 'live', resource: channel }];

  async function authorize(
    instance: PluginInstance,
    handler: number,
    input: { principal: Principal; params: Readonly<Record<string, string>> },
  ): Promise<WatchDecision> {
    const decision = await instance.handle(handler, input);
    checkDecision(decision);
    return decision as WatchDecision;
  }

  return {
    name: 'live',
    methods: {
      channel: method<{ pattern: string; handler: number }>({
        args: ChannelArgs,
        access: ({ pattern }) => live(pattern),
        run({ pattern, handler }, { instance }) {
          hub.declare(pattern, {
            plugin: instance.plugin.name,
            authorize(principal, params) {
              if (instance.gone.aborted)
                throw new AppError('PLUGIN_UNAVAILABLE', `Cannot ask ${instance.plugin.name}: it is restarting`);
              return authorize(instance, handler, { principal, params });
            },
          });
          return null;
        },
      }),
      publish: method<{ channel: string; data: object; version?: number }>({
        args: PublishArgs,
        access: ({ channel }) => live(channel),
        run({ channel, data, version }) {
          hub.publish(channel, data, version);
          return null;
        },
      }),
      close: method<{ channel: string; reason: string }>({
        args: CloseArgs,
        access: ({ channel }) => live(channel),
        run({ channel, reason }) {
          hub.close(channel, reason);
          return null;
        },
      }),
    },
  };
}

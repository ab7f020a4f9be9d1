import { Type } from 'typebox';
import type { WatchDecision } from '#plugin-api';
import type { LiveHub } from '#core/live/hub.ts';
import { linkLifeMaxSeconds, type LinkRequest, type ShareLinks } from '#core/live/share-links.ts';
import { AppError } from '#core/errors/app-error.ts';
import { compileArguments } from '../call-arguments.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import { method, type Access, type Capability } from '../capability.ts';
import type { HandlerCalls } from '../protocol/calls.ts';

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
const LinkId = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' });
const RevokeLinkArgs = Type.Object({ channel: Channel, id: LinkId }, { additionalProperties: false });
const IssueLinkArgs = Type.Object(
  {
    channel: Channel,
    id: LinkId,
    expiresInSeconds: Type.Integer({ minimum: 1, maximum: linkLifeMaxSeconds }),
  },
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

export interface LiveCapabilityOptions {
  readonly hub: LiveHub;
  readonly links: ShareLinks;
}

type LinkName = Pick<LinkRequest, 'channel' | 'id'>;

const toLinkName = ({ channel, id }: LinkName): string => `${channel} link ${id}`;
const live = (channel: string): readonly Access[] => [{ permission: 'live', resource: channel }];

/** Live channels: a plugin declares who may watch and publishes values; the hub brings them to the clients. */
export function createLiveCapability(options: LiveCapabilityOptions): Capability {
  const { hub, links } = options;
  return {
    name: 'live',
    methods: {
      channel: declareMethod(hub),
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
      revokeLink: method<LinkName>({
        args: RevokeLinkArgs,
        access: ({ channel }) => live(channel),
        audited: { decision: 'withdraw', resource: toLinkName },
        run({ channel }) {
          hub.recheck(channel);
          return null;
        },
      }),
      issueLink: method<LinkRequest>({
        args: IssueLinkArgs,
        access: ({ channel }) => live(channel),
        audited: { decision: 'issue', resource: toLinkName },
        run: (request) => links.issue(request),
      }),
    },
  };
}

function declareMethod(hub: LiveHub): ReturnType<typeof method<{ pattern: string; handler: number }>> {
  const checkDecision = compileArguments('live.channel', Decision);

  async function authorize(
    instance: PluginInstance,
    handler: number,
    input: HandlerCalls['live.channel']['input'],
  ): Promise<WatchDecision> {
    const decision = await instance.handle(handler, input);
    checkDecision(decision);
    return decision as WatchDecision;
  }

  return method<{ pattern: string; handler: number }>({
    args: ChannelArgs,
    access: ({ pattern }) => live(pattern),
    run({ pattern, handler }, { instance }) {
      hub.declare(pattern, {
        plugin: instance.plugin.name,
        authorize({ principal, link }, params) {
          if (instance.gone.aborted)
            throw new AppError('PLUGIN_UNAVAILABLE', `Cannot ask ${instance.plugin.name}: it is restarting`);
          const input = { principal, params };
          return authorize(instance, handler, link === undefined ? input : { ...input, link: link.id });
        },
      });
      return null;
    },
  });
}

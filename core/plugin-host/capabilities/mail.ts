import { setTimeout as delay } from 'node:timers/promises';
import { Type, type TString } from 'typebox';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import { method, type Capability } from '../capability.ts';
import { addressPattern, domainOf } from '../mail/address.ts';
import { createDeliveries } from '../mail/deliveries.ts';
import { readMailServer } from '../mail/mail-server.ts';
import { createSmtp } from '../mail/smtp.ts';
import type { PluginCalls } from '../protocol/calls.ts';

type SendArgs = PluginCalls['mail.send']['args'];

/** What ends a line cannot stand in a header: nothing can be added behind it. */
const headerText = (maxLength: number): TString => Type.String({ pattern: '^[^\\u0000-\\u001f\\u007f]*$', maxLength });

const SendArgsSchema = Type.Object(
  {
    to: Type.String({ pattern: addressPattern, maxLength: 254 }),
    subject: headerText(500),
    text: Type.String({ minLength: 1 }),
    html: Type.Optional(Type.String({ minLength: 1 })),
    messageId: Type.String({ pattern: '^[A-Za-z0-9._-]{1,100}$' }),
    // Not those that say from whom, to whom and what it is: they are the core's.
    headers: Type.Array(
      Type.Tuple([
        Type.String({ pattern: '^(X-[A-Za-z0-9-]{1,60}|List-[A-Za-z-]{1,30}|Content-Language)$' }),
        headerText(900),
      ]),
      { maxItems: 20 },
    ),
  },
  { additionalProperties: false },
);

export interface MailCapabilityOptions {
  readonly config: Config;
  /** Certificates of authorities. @default those that Node trusts */
  readonly ca?: string;
}

/** How long a stop waits for mail under way, whose answer nobody waits for any longer. */
const stopWaitMs = 3000;

/**
 * Mail through the operator's server. The plugin names a recipient and what to say; server, password and sender are the
 * core's. What is asked for is the domain of the recipient: that is where a plugin's data would go.
 */
export function createMailCapability(options: MailCapabilityOptions): Capability {
  const { config, ca } = options;
  const server = readMailServer(config);
  const smtp = server === undefined ? undefined : createSmtp({ server, config, ...(ca === undefined ? {} : { ca }) });
  const deliveries = smtp === undefined ? undefined : createDeliveries(smtp, { underWayMax: config.mailInflightMax });
  const senderDomain = server === undefined ? '' : domainOf(server.from.address);

  return {
    name: 'mail',
    methods: {
      send: method<SendArgs>({
        args: SendArgsSchema,
        access: ({ to }) => [{ permission: 'mail', resource: domainOf(to) }],
        async run({ messageId: id, ...mail }, { instance }) {
          if (deliveries === undefined) {
            throw new AppError('MAIL_UNAVAILABLE', 'Cannot send mail: SMTP_URL is not set');
          }
          // The plugin's name in it keeps a plugin from using up the ids of another.
          const messageId = `<${id}.${instance.plugin.name}@${senderDomain}>`;
          await deliveries.deliver({ ...mail, messageId });
          return { messageId };
        },
      }),
      configured: method<Record<string, never>>({
        args: Type.Object({}, { additionalProperties: false }),
        immediate: true,
        run: () => ({ configured: deliveries !== undefined }),
      }),
    },
    async stop() {
      await Promise.race([deliveries?.settled(), delay(stopWaitMs, undefined, { ref: false })]);
      smtp?.close();
    },
  };
}

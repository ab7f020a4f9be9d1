import { Type } from 'typebox';
import type { HttpReply, PluginContext } from '#plugin-api';
import { audienceOf, isTemplate, templateNames } from './audience.ts';
import { refuse } from './errors.ts';
import { readFacts, type Facts } from './facts.ts';
import { toLocale } from './person.ts';
import type { Settings } from './settings.ts';
import { languageNames } from './templates/locale.ts';
import { render } from './templates/render.ts';
import { sampleFacts } from './templates/samples.ts';
import { measureSms } from './templates/sms-text.ts';

const Name = Type.String({ minLength: 1, maxLength: 64 });
const TemplateParams = Type.Object({ name: Name }, { additionalProperties: false });
const PreviewQuery = Type.Object(
  {
    locale: Type.Optional(Type.String({ minLength: 2, maxLength: 35 })),
    channel: Type.Optional(Type.Enum(['email', 'sms', 'push', 'log'])),
  },
  { additionalProperties: false },
);
/** As an event carries them; what is left out is taken from a sample. */
const PreviewBody = Type.Object(
  { facts: Type.Object({}, { additionalProperties: true, maxProperties: 30 }) },
  { additionalProperties: false },
);
const Preview = Type.Object(
  {
    template: Name,
    channel: Name,
    locale: Name,
    title: Type.String({ maxLength: 200 }),
    body: Type.String({ maxLength: 4000 }),
    html: Type.Union([Type.String({ maxLength: 20_000 }), Type.Null()]),
    sms: Type.Union([
      Type.Object({ encoding: Name, units: Type.Integer(), segments: Type.Integer() }, { additionalProperties: false }),
      Type.Null(),
    ]),
  },
  { additionalProperties: false },
);
const TemplateList = Type.Object(
  {
    templates: Type.Array(
      Type.Object({ name: Name, kind: Name, role: Name, passing: Type.Boolean() }, { additionalProperties: false }),
      { maxItems: 100 },
    ),
    locales: Type.Array(Name, { maxItems: 100 }),
  },
  { additionalProperties: false },
);

interface PreviewRequest {
  readonly params: { readonly name: string };
  readonly query: { readonly locale?: string; readonly channel?: 'email' | 'sms' | 'push' | 'log' };
}

/** What there is to tell, in every language and channel, for who wants to read it before somebody gets it. */
export function registerTemplateRoutes(ctx: PluginContext, settings: Settings): void {
  const options = { roles: ['ops'], params: TemplateParams, query: PreviewQuery, response: { 200: Preview } } as const;
  ctx.http.get(
    '/notifications/templates',
    { summary: 'All templates', roles: ['ops'], response: { 200: TemplateList } },
    () => ({
      status: 200,
      body: {
        templates: templateNames.map((name) => {
          const { kind, role, passing = false } = audienceOf(name);
          return { name, kind, role, passing };
        }),
        locales: languageNames,
      },
    }),
  );
  ctx.http.get(
    '/notifications/templates/{name}/preview',
    { ...options, summary: 'A message as it would be sent, of sample facts' },
    (request) => preview(request, sampleFacts, settings),
  );
  ctx.http.post(
    '/notifications/templates/{name}/preview',
    { ...options, summary: 'A message as it would be sent, of given facts', body: PreviewBody },
    (request) => preview(request, readFacts({ ...sampleFacts, ...request.body.facts }), settings),
  );
}

function preview({ params, query }: PreviewRequest, facts: Facts, settings: Settings): HttpReply {
  const { name } = params;
  if (!isTemplate(name)) {
    return refuse('NOTIFICATION_TEMPLATE_NOT_FOUND', 'GET /notifications/templates lists those that there are');
  }
  const { channel = 'email' } = query;
  const locale = toLocale(query.locale ?? settings.locale);
  if (locale === undefined) {
    return refuse('NOTIFICATION_LOCALE_INVALID', "'locale' must be a language tag such as de-AT");
  }
  const { timeZone, orderUrl } = settings;
  const message = render(name, facts, { channel, locale, timeZone, orderUrl });
  const sms = channel === 'sms' ? measureSms(message.body) : null;
  return { status: 200, body: { template: name, channel, ...message, sms } };
}

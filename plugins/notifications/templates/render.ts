import type { TemplateName } from '../audience.ts';
import type { Facts } from '../facts.ts';
import type { ChannelName } from '../person.ts';
import { toHtml } from './html.ts';
import { findLanguage } from './locale.ts';
import { toPhrases } from './phrases.ts';
import { toSmsText } from './sms-text.ts';

export interface RenderedMessage {
  /** Of the words, with the person's region: `de-AT`. */
  readonly locale: string;
  readonly title: string;
  /** What is sent as text, and shown to who reads it again. */
  readonly body: string;
  /** Of a mail alone. */
  readonly html: string | null;
}

export interface RenderOptions {
  readonly channel: ChannelName;
  readonly locale: string;
  readonly timeZone: string;
  /** With `{orderId}` in it. */
  readonly orderUrl: string | null;
}

const titleMax = 200;
const bodyMax = 2000;

/** The words of an event for somebody, as a channel carries them. */
export function render(event: TemplateName, facts: Facts, options: RenderOptions): RenderedMessage {
  const { channel, timeZone } = options;
  const { language, locale } = findLanguage(options.locale);
  const text = language.templates[event](facts, toPhrases(facts, { language, locale, timeZone }));
  const url = toOrderUrl(options.orderUrl, facts.orderId);
  const title = text.title.slice(0, titleMax);
  if (channel === 'sms') {
    return { locale, title, body: toSmsText([text.short, ...(url === null ? [] : [url])].join(' ')), html: null };
  }
  if (channel === 'push') return { locale, title, body: text.short.slice(0, bodyMax), html: null };
  const { seeOrder, footer } = language.words;
  const lines = [...text.paragraphs, ...(url === null ? [] : [`${seeOrder}: ${url}`])];
  if (channel === 'log') return { locale, title, body: lines.join('\n\n').slice(0, bodyMax), html: null };
  const link = url === null ? null : { url, label: seeOrder };
  return {
    locale,
    title,
    body: [...lines, `-- \n${footer}`].join('\n\n').slice(0, bodyMax),
    html: toHtml({ locale, title, paragraphs: text.paragraphs, link, footer }),
  };
}

function toOrderUrl(template: string | null, orderId: string | null): string | null {
  if (template === null || orderId === null) return null;
  return template.replaceAll('{orderId}', () => encodeURIComponent(orderId));
}

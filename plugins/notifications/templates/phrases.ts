import type { Facts } from '../facts.ts';
import type { Language, Phrases } from './template.ts';

export interface PhraseOptions {
  readonly language: Language;
  readonly locale: string;
  readonly timeZone: string;
}

/** The facts in a language, in the person's time zone. */
export function toPhrases(facts: Facts, { language, locale, timeZone }: PhraseOptions): Phrases {
  const { pickupWindow, expiresAt, expiresOn, document, amountMinor, currency, reason } = facts;
  const format = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
    new Intl.DateTimeFormat(locale, { timeZone, ...options });
  const window = format({ weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
  const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' });
  return {
    window:
      pickupWindow === null
        ? ''
        : plainly(window.formatRange(new Date(pickupWindow.start), new Date(pickupWindow.end))),
    time: expiresAt === null ? '' : plainly(format({ hour: '2-digit', minute: '2-digit' }).format(new Date(expiresAt))),
    // A day is the same day everywhere.
    date: expiresOn === null ? '' : plainly(day.format(new Date(expiresOn))),
    document: document === null ? '' : (lookUp(language.documents, document) ?? document),
    money: amountMinor === null || currency === null ? '' : toMoney(amountMinor, currency, locale),
    reason: reason === null ? '' : (lookUp(language.reasons, reason) ?? (isCode(reason) ? '' : reason)),
  };
}

const lookUp = (words: Readonly<Record<string, string>>, code: string): string | undefined =>
  Object.hasOwn(words, code) ? words[code] : undefined;

/** `do_not_honor`, `provider-unavailable`. */
const isCode = (text: string): boolean => /^[a-z0-9]+([_-][a-z0-9]+)+$/.test(text);

function toMoney(amountMinor: number, currency: string, locale: string): string {
  const format = new Intl.NumberFormat(locale, { style: 'currency', currency });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return plainly(format.format(amountMinor / 10 ** digits));
}

/** Narrow and unbreakable spaces cost a text message two thirds of its characters. */
const plainly = (text: string): string => text.replaceAll(/[\u00a0\u2009\u202f]/g, ' ').replaceAll('–', '-');

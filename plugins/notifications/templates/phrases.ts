import type { Facts } from '../facts.ts';
import type { Language, Phrases } from './template.ts';

export interface PhraseOptions {
  readonly language: Language;
  readonly locale: string;
  readonly timeZone: string;
}

/** The facts in a language, in the person's time zone. */
export function toPhrases(facts: Facts, { language, locale, timeZone }: PhraseOptions): Phrases {
  const { pickupWindow, expiresAt, amountMinor, currency, reason } = facts;
  const format = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
    new Intl.DateTimeFormat(locale, { timeZone, ...options });
  const window = format({ weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
  return {
    window:
      pickupWindow === null
        ? ''
        : plainly(window.formatRange(new Date(pickupWindow.start), new Date(pickupWindow.end))),
    time: expiresAt === null ? '' : plainly(format({ hour: '2-digit', minute: '2-digit' }).format(new Date(expiresAt))),
    date:
      expiresAt === null
        ? ''
        : plainly(format({ day: 'numeric', month: 'long', year: 'numeric' }).format(new Date(expiresAt))),
    money: amountMinor === null || currency === null ? '' : toMoney(amountMinor, currency, locale),
    reason: reason === null ? '' : (language.reasons[reason] ?? reason),
  };
}

function toMoney(amountMinor: number, currency: string, locale: string): string {
  const format = new Intl.NumberFormat(locale, { style: 'currency', currency });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return plainly(format.format(amountMinor / 10 ** digits));
}

/** Narrow and unbreakable spaces cost a text message two thirds of its characters. */
const plainly = (text: string): string => text.replaceAll(/[\u00a0\u2009\u202f]/g, ' ').replaceAll('–', '-');

import type { TemplateName } from '../audience.ts';
import type { Facts } from '../facts.ts';

export interface TemplateText {
  /** Subject of a mail, title of a push message. One line. */
  readonly title: string;
  /** Of a mail. Plain text: whatever makes HTML of it escapes it. */
  readonly paragraphs: readonly string[];
  /** For SMS and push: complete by itself, without the title. */
  readonly short: string;
}

/** How a language writes what is in the facts. Empty when the fact is not there. */
export interface Phrases {
  /** `Mon, 4 May, 10:00 – 12:00`, in the person's time zone. */
  readonly window: string;
  /** Until when an offer holds. */
  readonly time: string;
  /** The last day of a document. */
  readonly date: string;
  readonly document: string;
  readonly money: string;
  /** A known code in words, what somebody wrote as it is, and nothing for a code that nobody can read. */
  readonly reason: string;
}

export type Template = (facts: Facts, phrases: Phrases) => TemplateText;

export interface Language {
  readonly templates: Readonly<Record<TemplateName, Template>>;
  /** Of codes that the plugins use, such as `nobody_home`. */
  readonly reasons: Readonly<Record<string, string>>;
  /** Of drivers. */
  readonly documents: Readonly<Record<string, string>>;
  readonly words: {
    readonly seeOrder: string;
    /** Why they get this, and how to change it. */
    readonly footer: string;
  };
}

/** ` Reason: it rains.`, or nothing. */
export const sentence = (label: string, text: string): string =>
  text === '' ? '' : ` ${label}: ${text}${/[.!?]$/.test(text) ? '' : '.'}`;
